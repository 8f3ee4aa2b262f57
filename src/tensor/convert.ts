import { defineKernel, gridFor, type Storage } from "../gpu/mod.ts";
import { empty, share } from "./make.ts";
import { type FloatType, Tensor } from "./tensor.ts";

const kernel = defineKernel("cast");

/** A tensor's floats in another width, rounded to the nearest where it is narrower; records nothing. */
export function convert(x: Tensor, dtype: FloatType): Tensor {
  const y = empty(x.gpu, x.shape, dtype);
  x.gpu.run(kernel, "convert", {
    bind: { x: x.storage, y: y.storage },
    params: { size: x.size },
    grid: gridFor(Math.ceil(x.size / 4), 64),
  });
  return y;
}

/** The copies that someone holds, by what they are copies of, and the recording that makes them again. */
const copies = new WeakMap<Storage, { copy: Storage; recording: object | undefined }>();

/**
 * A handle, unknown to any scope, on an f16 copy of a tensor that is not written any more. While anybody
 * holds such a copy there is only one. Work that is recorded makes its own: it would hold one of another,
 * for replays after the tensor was written.
 */
export function halfCopy(x: Tensor): Tensor {
  const known = copies.get(x.storage);
  const recording = x.gpu.currentRecording;
  if (known && known.copy.references > 0 && known.recording === recording) {
    return new Tensor(x.gpu, known.copy.retain(), x.shape, "f16");
  }
  using _scope = x.gpu.scope();
  const copy = share(convert(x, "f16"));
  copies.set(x.storage, { copy: copy.storage, recording });
  return copy;
}
