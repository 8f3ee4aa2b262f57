import { op, pickle } from "./pickle.ts";
import { type ArchivePlan, zip, type ZipPlan } from "./zip.ts";

/** The bytes of storages by their keys. */
export type Storages = Readonly<Record<string, Uint8Array>>;

/** Four floats as bytes: 1, 2, 3, 4. */
export const FOUR = new Uint8Array(new Float32Array([1, 2, 3, 4]).buffer);

/** A file of the zip form around a pickle. */
export function torchZip(
  data: Uint8Array,
  storages: Storages = { 0: FOUR },
  plan: ArchivePlan & { more?: readonly ZipPlan[]; file?: Partial<ZipPlan> } = {},
): Uint8Array<ArrayBuffer> {
  const files = Object.entries(storages).map(([key, bytes]) => ({
    name: `m/data/${key}`,
    data: bytes,
    ...plan.file,
  }));
  return zip([{ name: "m/data.pkl", data }, ...files, ...(plan.more ?? [])], plan);
}

/** A file of the older form around a pickle, the storages with their numbers of elements. */
export function torchLegacy(
  data: Uint8Array,
  storages: Readonly<Record<string, { count: number | bigint; bytes: Uint8Array }>> = {
    0: { count: 4, bytes: FOUR },
  },
  keys: readonly string[] = Object.keys(storages),
): Uint8Array<ArrayBuffer> {
  const head = [
    pickle(op.int(0x1950a86a20f9469cfc6cn)),
    pickle(op.int(1001)),
    pickle(op.dict(op.text("little_endian"), [0x88])),
    data,
    pickle(op.list(...keys.map(op.text))),
  ];
  const tail = keys.flatMap((key) => [
    Uint8Array.from(op.little(storages[key].count, 8)),
    storages[key].bytes,
  ]);
  return new Uint8Array([...head, ...tail].flatMap((bytes) => [...bytes]));
}
