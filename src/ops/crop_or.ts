import { defineKernel, gridFor } from "../gpu/mod.ts";
import { empty, record, ShapeError, shapeText, type Tensor } from "../tensor/mod.ts";
import { expectDType } from "./check.ts";

const kernel = defineKernel("crop");

/**
 * A window of images, or other images in its stead, as a tensor says: x [N, H, W, C] and `other`
 * [N, h, w, C] give [N, h, w, C]. So work that is recorded once can be replayed with another draw.
 *
 * @param draw u32 [3]: 0 for `other`; else 1, and the rows above the window and the columns to its left.
 * A window that would reach beyond the image ends with it.
 *
 * @throws {ShapeError} where a tensor has another dtype or the shapes do not fit.
 *
 * @example
 * ```ts
 * import { cropOr, fromArray, Gpu } from "@coda/tokenizer/tensor";
 *
 * using gpu = await Gpu.create();
 * const x = fromArray(gpu, [1, 2, 3, 4, 5, 6], [1, 2, 3, 1]);
 * const other = fromArray(gpu, [7, 8], [1, 1, 2, 1]);
 * const at = (...draw: number[]) => fromArray(gpu, new Uint32Array(draw), [3]);
 * console.log(await cropOr(x, other, at(1, 1, 0)).read()); // 4, 5
 * console.log(await cropOr(x, other, at(0, 0, 0)).read()); // 7, 8
 * ```
 */
export function cropOr(x: Tensor, other: Tensor, draw: Tensor): Tensor {
  check(x, other, draw);
  const y = empty(x.gpu, other.shape);
  const run = (entry: string, result: Tensor, bind: Record<string, Tensor>) => {
    const tensors = Object.entries({ ...bind, y: result });
    x.gpu.run(kernel, entry, {
      bind: Object.fromEntries(tensors.map(([name, { storage }]) => [name, storage])),
      params: { ...params, size: result.size },
      grid: gridFor(result.size, 64),
    });
    return result;
  };
  const [, height, width, channels] = x.shape;
  const params = { height, width, channels, out_height: y.shape[1], out_width: y.shape[2] };
  const { shape } = x;
  return record("cropOr", {
    inputs: [x, other],
    output: run("forward", y, { draw, x, other }),
    saved: [draw],
    backward: (dy, [draw], needs) => [
      needs[0] ? run("window_grad", empty(dy.gpu, shape), { draw, dy }) : null,
      needs[1] ? run("other_grad", empty(dy.gpu, dy.shape), { draw, dy }) : null,
    ],
  });
}

function check(x: Tensor, other: Tensor, draw: Tensor): void {
  expectDType("cropOr", "f32", { x, other });
  expectDType("cropOr", "u32", { draw });
  const [images, height, width, channels] = x.shape;
  const fits = x.rank === 4 && other.rank === 4 && draw.size === 3 && other.size > 0 &&
    other.shape[0] === images && other.shape[3] === channels &&
    other.shape[1] <= height && other.shape[2] <= width;
  if (fits) return;
  throw new ShapeError(
    "cropOr",
    `x ${shapeText(x.shape)}, other ${shapeText(other.shape)}, draw ${shapeText(draw.shape)}: ` +
      "expected [N, H, W, C], [N, h, w, C] with h and w at most H and W, and [3]",
  );
}
