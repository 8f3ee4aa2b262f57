import type { Storage } from "./tensor_view.ts";
import type { PickleValue } from "./values.ts";

/** A file that `torch.save` wrote, in either of its forms: a pickle, and storages beside it. */
export interface Container {
  /** What the pickle holds. */
  readonly root: PickleValue;
  /** Checks that the file keeps a storage whole. @throws {CheckpointError} where it does not. */
  check(storage: Storage): void;
  /** How many bytes are unpacked to read a storage up to byte `end`; none where it lies in the file as it is. */
  unpacked(storage: Storage, end: number): number;
  /** Reads `length` bytes of a storage from byte `start`, which must be there. */
  read(storage: Storage, start: number, length: number): Promise<Uint8Array<ArrayBuffer>>;
}
