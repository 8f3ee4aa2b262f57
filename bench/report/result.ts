import type { Peaks } from "./peaks.ts";
import type { Work } from "./operation.ts";
import type { Times } from "./time.ts";
import type { TorchTimes } from "./torch.ts";

/** Where and how the figures were taken. */
export interface Setting {
  /** The adapter's description. */
  adapter: string;
  /** Whether it runs on the CPU, where loads limit products. */
  isCpu: boolean;
  /** The driver and its version; null where they cannot be told. */
  driver: string | null;
  /** Processor, cores and operating system. */
  machine: string;
  /** Deno's version. */
  deno: string;
  /** The commit, with "+" where files differ from it; null outside of a repository. */
  commit: string | null;
  /** The command. */
  command: string;
  /** Day and time, UTC. */
  date: string;
}

/** One row's figures. */
export interface RowResult extends Work, Times {
  group: string;
  name: string;
  /** Whether the wall clock's time is the one that counts. */
  isWhole: boolean;
  /** The same in PyTorch, where it was asked. */
  torch?: TorchTimes;
}

/** All that one run found; what bench/results/<adapter>.json holds. */
export interface Report {
  setting: Setting;
  peaks: Peaks;
  /** PyTorch's version and device, or why it was not asked. */
  torch: { name: string } | { absent: string };
  rows: RowResult[];
}

/** What a row reaches beside what its adapter can do. */
export interface Rate {
  /** What is counted. */
  unit: "FLOP/s" | "B/s";
  /** How many of them there were in a second. */
  perSecond: number;
  /** Beside the measured peak, 1 being all of it. */
  share: number;
}

/** The seconds that count: on the GPU where they are known, of whole work by the clock. */
export function secondsOf(
  { isWhole, wall, gpu }: Pick<RowResult, "isWhole" | keyof Times>,
): number {
  return isWhole ? wall : gpu ?? wall;
}

/** What a row reaches; undefined where its work is not counted. */
export function rateOf(row: RowResult, peaks: Peaks): Rate | undefined {
  const seconds = secondsOf(row);
  if (row.flop !== undefined) {
    const perSecond = row.flop / seconds;
    return { unit: "FLOP/s", perSecond, share: perSecond / peaks.float32 };
  }
  if (row.bytes === undefined) return undefined;
  const perSecond = row.bytes / seconds;
  return { unit: "B/s", perSecond, share: perSecond / peaks.copy };
}
