import type { Gpu } from "../../src/gpu/mod.ts";
import type { Operation, Work } from "./operation.ts";

/** Work that is ready to be timed: what it reads is on the GPU. */
export interface Prepared extends Work {
  /** Does it once; what it makes belongs to the scope around the call. */
  call: () => void | Promise<void>;
}

/** One row of the report. */
export interface Row {
  /** The table it stands in. */
  group: string;
  /** Its name there. */
  name: string;
  /** The operation that it is, where another library can be asked for the same. */
  operation?: Operation;
  /** Whether its time is that by the wall clock, which is what someone waits. */
  isWhole?: boolean;
  /** Makes it ready on a device of its own. */
  prepare: (gpu: Gpu) => Prepared | Promise<Prepared>;
}
