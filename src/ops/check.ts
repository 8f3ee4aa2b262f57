import { type DType, ShapeError, type Tensor } from "../tensor/mod.ts";

/** Throws unless each of an operation's tensors, named as in its signature, has the dtype. */
export function expectDType(op: string, dtype: DType, tensors: Record<string, Tensor>): void {
  for (const name in tensors) {
    const found = tensors[name].dtype;
    if (found !== dtype) throw new ShapeError(op, `${name} is ${found}, expected ${dtype}`);
  }
}
