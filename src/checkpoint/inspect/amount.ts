import type { TensorFile } from "../source.ts";
import type { Amount } from "./types.ts";

/** How much some of a file's tensors are. */
export function amountOf(source: TensorFile, names: readonly string[]): Amount {
  const infos = names.map((name) => source.info(name));
  const dtypes: Record<string, number> = {};
  for (const { dtype } of infos) dtypes[dtype] = (dtypes[dtype] ?? 0) + 1;
  return {
    tensors: infos.length,
    parameters: infos.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0),
    bytes: infos.reduce((sum, { bytes }) => sum + bytes, 0),
    dtypes,
  };
}
