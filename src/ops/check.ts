import { type DType, type FloatType, ShapeError, type Tensor } from "../tensor/mod.ts";

/** Throws unless each of an operation's tensors, named as in its signature, has the dtype. */
export function expectDType(op: string, dtype: DType, tensors: Record<string, Tensor>): void {
  for (const name in tensors) {
    const found = tensors[name].dtype;
    if (found !== dtype) throw new ShapeError(op, `${name} is ${found}, expected ${dtype}`);
  }
}

/** Throws unless each of an operation's tensors, named as in its signature, holds floats of any width. */
export function expectFloats(op: string, tensors: Record<string, Tensor>): void {
  for (const name in tensors) floatTypeOf(op, name, tensors[name]);
}

/** The width of a tensor's floats. @throws {ShapeError} where it holds integers. */
export function floatTypeOf(op: string, name: string, { dtype }: Tensor): FloatType {
  if (dtype === "u32") throw new ShapeError(op, `${name} is u32, expected f32 or f16`);
  return dtype;
}
