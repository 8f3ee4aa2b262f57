import { add, mul, pad, slice } from "../../ops/mod.ts";
import { constants, type Tensor } from "../../tensor/mod.ts";

/**
 * The mean of the pixels within one pixel of each, [N, H, W, C] to the same: windows of 3×3 of which what
 * lies beyond the image does not count (PyTorch's `avg_pool2d` without `count_include_pad`).
 */
export function averageOfNeighbours(x: Tensor): Tensor {
  using scope = x.gpu.scope();
  const [, height, width] = x.shape;
  const sums = [1, 2].reduce(sumOfThree, x);
  const [rows, columns] = [height, width].map(neighbours);
  const shares = rows.flatMap((row) => columns.map((column) => 1 / (row * column)));
  return scope.keep(mul(sums, constants(x.gpu, shares, [height, width, 1])));
}

/** Along an axis, the sum of each and its neighbours. */
function sumOfThree(x: Tensor, axis: number): Tensor {
  const around = x.shape.map((_, i): [number, number] => i === axis ? [1, 1] : [0, 0]);
  const padded = pad(x, around);
  const from = (start: number) => {
    const starts = x.shape.map((_, i) => i === axis ? start : 0);
    return slice(padded, starts, x.shape.map((length, i) => starts[i] + length));
  };
  return add(add(from(0), from(1)), from(2));
}

/** How many of a position and its two neighbours lie within `length`, for each. */
function neighbours(length: number): number[] {
  return Array.from(
    { length },
    (_, i) => 1 + Number(i > 0) + Number(i < length - 1),
  );
}
