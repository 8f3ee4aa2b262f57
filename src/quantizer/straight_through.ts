import { record, share, type Tensor } from "../tensor/mod.ts";

/**
 * The numbers of `value` with the gradient of `f`, as if they were f's own (Bengio et al. 2013): what
 * `f + sg(value − f)` means, without its rounding. The bytes are shared.
 *
 * @param value Of the shape of `f`.
 */
export function straightThrough(value: Tensor, f: Tensor): Tensor {
  const y = share(value);
  value.gpu.track(y);
  return record("straightThrough", { inputs: [f], output: y, backward: (dy) => [dy] });
}
