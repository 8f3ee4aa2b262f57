import { assertThrows } from "@std/assert";
import { cropOr } from "../../src/ops/mod.ts";
import { fromArray, full, gradients, Replays, ShapeError, zeros } from "../../src/tensor/mod.ts";
import { assertSame } from "../support/compare.ts";
import { gradcheck } from "../support/gradcheck.ts";
import { flat, gpuTest } from "../support/gpu.ts";
import { Random } from "../support/random.ts";
import type { NDArray } from "../support/reference.ts";

const cases: { x: number[]; window: [number, number]; draw: number[] }[] = [
  { x: [2, 5, 7, 3], window: [3, 4], draw: [1, 2, 1] },
  { x: [2, 5, 7, 3], window: [3, 4], draw: [0, 2, 1] },
  { x: [1, 33, 1, 5], window: [7, 1], draw: [1, 26, 0] },
  { x: [3, 4, 4, 4], window: [4, 4], draw: [1, 0, 0] },
  { x: [1, 5, 5, 1], window: [3, 3], draw: [1, 9, 9] }, // ends with the image
];

for (const { x: shape, window: [height, width], draw } of cases) {
  const name = `cropOr [${shape}] to ${height}×${width} by ${draw}`;
  gpuTest(`${name}: float64 and finite differences`, async (gpu) => {
    using where = fromArray(gpu, new Uint32Array(draw), [3]);
    const numbers = new Random(shape[1]);
    const other = numbers.normal([shape[0], height, width, shape[3]]);
    await gradcheck({
      name,
      inputs: [numbers.normal(shape), other],
      op: ([x, other]) => cropOr(x, other, where),
      reference: ([x, other]) => reference(x, other, draw),
      forward: 0,
      tolerance: 1e-6,
    });
  });
}

function reference(x: NDArray, other: NDArray, [isWindow, top, left]: number[]): NDArray {
  if (!isWindow) return other;
  const [, height, width, channels] = x.shape;
  const [, h, w] = other.shape;
  const [row, column] = [Math.min(top, height - h), Math.min(left, width - w)];
  const data = other.data.map((_, i) => {
    const [c, pixel] = [i % channels, Math.floor(i / channels)];
    const [at, line] = [pixel % w, Math.floor(pixel / w)];
    const image = Math.floor(line / h);
    return x.data[((image * height + row + line % h) * width + column + at) * channels + c];
  });
  return { data, shape: other.shape };
}

gpuTest("cropOr: a replay has its own draw", async (gpu) => {
  await flat(gpu, async () => {
    using replays = new Replays(gpu);
    using x = fromArray(gpu, [1, 2, 3, 4], [1, 2, 2, 1]);
    using other = full(gpu, [1, 1, 1, 1], 9);
    for (const [draw, expected] of [[[1, 0, 1], 2], [[0, 0, 0], 9], [[1, 1, 0], 3]] as const) {
      using where = fromArray(gpu, new Uint32Array(draw), [3]);
      const [y] = replays.run("crop", [x, other, where], ([x, other, where]) => [
        cropOr(x, other, where),
      ]);
      assertSame(await y.readF32(), [expected]);
      y.dispose();
    }
  });
});

gpuTest("cropOr leaves no bytes behind, and refuses what does not fit", async (gpu) => {
  await flat(gpu, () => {
    using _scope = gpu.scope();
    const x = full(gpu, [1, 5, 5, 2], 1).requireGrad();
    const other = zeros(gpu, [1, 3, 3, 2]).requireGrad();
    const draw = zeros(gpu, [3], "u32");
    const y = cropOr(x, other, draw);
    gradients(y, [x, other], { seed: full(gpu, y.shape, 1) });
    assertThrows(() => cropOr(other, x, draw), ShapeError, "at most");
    assertThrows(() => cropOr(x, zeros(gpu, [1, 3, 3, 1]), draw), ShapeError, "cropOr");
    assertThrows(() => cropOr(x, other, zeros(gpu, [3])), ShapeError, "u32");
  });
});
