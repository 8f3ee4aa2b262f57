import { assertEquals, assertThrows } from "@std/assert";
import type { Gpu } from "../../src/gpu/mod.ts";
import { conv2d, type Conv2dOptions } from "../../src/ops/conv2d.ts";
import { type ConvolutionAlgorithm, withConvolution } from "../../src/ops/conv2d_algorithm.ts";
import { type Kind, type Tile, withKind, withTile } from "../../src/ops/tile.ts";
import {
  fromArray,
  full,
  gradients,
  ShapeError,
  type Tensor,
  zeros,
} from "../../src/tensor/mod.ts";
import { assertBits, assertClose, assertSame } from "../support/compare.ts";
import { flat, gpuTest } from "../support/gpu.ts";
import { gradcheck } from "../support/gradcheck.ts";
import { Random } from "../support/random.ts";
import * as reference from "../support/reference.ts";
import { type NDArray, toF32 } from "../support/reference.ts";
import { torchcheck } from "../support/torchcheck.ts";

/** Every way to compute a convolution. */
const ways = (["direct", "winograd"] as ConvolutionAlgorithm[]).flatMap((algorithm) =>
  (["cpu", "gpu"] as Kind[]).map((kind) => ({
    name: `${algorithm}, as on a ${kind}`,
    run: <T>(work: () => T | Promise<T>) => withConvolution(algorithm, () => withKind(kind, work)),
  }))
);

const cases: [x: number[], weight: number[], options: Conv2dOptions][] = [
  [[1, 1, 1, 1], [1, 1, 1, 1], {}],
  [[2, 3, 5, 7], [1, 1, 7, 5], {}],
  [[1, 5, 5, 3], [1, 1, 3, 4], { stride: 2 }],
  [[1, 4, 3, 3], [1, 1, 3, 2], { padding: 1 }],
  [[2, 5, 7, 4], [3, 3, 4, 8], { padding: 1 }],
  [[1, 4, 11, 3], [3, 3, 3, 12], { padding: 1 }],
  [[1, 3, 17, 9], [3, 3, 9, 3], { padding: 1 }],
  [[2, 1, 3, 17], [3, 3, 17, 5], { padding: 1 }],
  [[1, 33, 5, 7], [3, 3, 7, 4], { padding: { top: 0, bottom: 2, left: 1, right: 0 } }],
  [[1, 6, 7, 5], [3, 3, 5, 3], { padding: 2 }],
  [[1, 3, 4, 2], [3, 3, 2, 2], { padding: 3 }],
  [[1, 7, 8, 5], [3, 3, 5, 6], { stride: 2, padding: { top: 0, bottom: 1, left: 0, right: 1 } }],
  [[2, 6, 9, 4], [4, 4, 4, 4], { stride: 2, padding: 1 }],
  [[1, 9, 7, 3], [2, 3, 3, 5], { stride: 3, padding: { top: 2, bottom: 0, left: 1, right: 3 } }],
  [[1, 3, 2, 2], [2, 2, 2, 3], { stride: 2, padding: 4 }],
  [[1, 2, 33, 1], [1, 5, 1, 1], { padding: { top: 0, bottom: 0, left: 4, right: 0 } }],
  [[1, 5, 5, 33], [5, 5, 33, 1], {}],
];

for (const way of ways) {
  gpuTest(`conv2d, ${way.name}: float64 and finite differences`, async () => {
    for (const [x, weight, options] of cases) {
      const random = new Random(x[1] + 10 * x[2] + 100 * x[3]);
      await way.run(() =>
        gradcheck({
          name: `conv2d [${x}] [${weight}] ${JSON.stringify(options)}`,
          inputs: [random.normal(x), random.normal(weight), random.normal([weight[3]])],
          coordinates: 24,
          op: ([x, weight, bias]) => conv2d(x, weight, bias, options),
          reference: ([x, weight, bias]) => reference.conv2d(x, weight, bias, options),
        })
      );
    }
  });

  gpuTest(
    `conv2d, ${way.name}: equals PyTorch's`,
    () =>
      way.run(
        () =>
          torchcheck("conv2d", ([x, weight, bias], options) => conv2d(x, weight, bias, options)),
      ),
  );

  gpuTest(`conv2d, ${way.name}: a weight's gradient summed in uneven parts`, async (gpu) => {
    const random = new Random(9);
    const x = random.normal([3, 53, 7, 33]);
    const dy = random.normal([3, 53, 7, 5]);
    const [found] = await way.run(() =>
      run(gpu, () => {
        const weight = zeros(gpu, [3, 3, 33, 5]).requireGrad();
        const y = conv2d(upload(gpu, x), weight, undefined, { padding: 1 });
        return gradients(y, [weight], { seed: upload(gpu, dy) });
      })
    );
    assertClose(found, weightGradient(x, dy), { relative: 2e-6 });
  });

  gpuTest(`conv2d, ${way.name}: an image alone gives the bits it has in a batch`, async (gpu) => {
    const random = new Random(6);
    for (const [kernel, stride] of [[3, 1], [3, 2], [1, 1]]) {
      const images = random.normal([3, 9, 13, 6]);
      const weight = random.normal([kernel, kernel, 6, 7]);
      const size = images.data.length / 3;
      const compute = (count: number, data: Float64Array) =>
        run(gpu, () => {
          const x = upload(gpu, reference.nd([count, 9, 13, 6], data)).requireGrad();
          const y = conv2d(x, upload(gpu, weight), undefined, {
            stride,
            padding: (kernel - 1) / 2,
          });
          return [y, gradients(y, [x], { seed: full(gpu, y.shape, 0.7) })[0]];
        });
      await way.run(async () => {
        const together = await compute(3, images.data);
        for (let image = 0; image < 3; image++) {
          const alone = await compute(1, images.data.subarray(image * size, (image + 1) * size));
          alone.forEach((values, i) => {
            const start = image * values.length;
            assertSame(values, together[i].subarray(start, start + values.length));
          });
        }
      });
    }
  });
}

/** Maps with and without enough pixels and channels for wide tiles, and for more than one of each. */
const tiled: [x: number[], weight: number[], options: Conv2dOptions][] = [
  [[1, 10, 19, 5], [3, 3, 5, 9], {}],
  [[2, 3, 21, 18], [3, 3, 18, 33], { padding: 1 }],
  [[1, 4, 40, 4], [3, 3, 4, 70], { padding: 1 }],
  [[1, 5, 70, 20], [3, 3, 20, 17], {
    stride: 2,
    padding: { top: 0, bottom: 1, left: 0, right: 1 },
  }],
  [[1, 7, 52, 17], [2, 5, 17, 16], { stride: 3, padding: 2 }],
  [[1, 2, 35, 19], [4, 4, 19, 3], { stride: 2, padding: 3 }],
  [[3, 9, 7, 140], [1, 1, 140, 36], { stride: 2 }],
];

gpuTest("conv2d and its gradients have the same bits in every tile", async (gpu) => {
  for (const [ofX, ofWeight, options] of tiled) {
    const random = new Random(ofX[2]);
    const values = [ofX, ofWeight, [ofWeight[3]]].map((shape) => random.normal(shape));
    const compute = () =>
      run(gpu, () => {
        const inputs = values.map((value) => upload(gpu, value).requireGrad());
        const y = conv2d(inputs[0], inputs[1], inputs[2], options);
        const seed = upload(gpu, new Random(1).normal([...y.shape]));
        return [y, ...gradients(y, inputs, { seed })];
      });
    const all = (tile: Tile) => withConvolution("direct", () => withTile(tile, compute));
    const expected = await all("registers");
    for (const tile of ["wide", "shared32", "shared64", "shared128"] as Tile[]) {
      const found = await all(tile);
      found.forEach((bits, i) => assertBits(bits, expected[i], `${tile}, [${ofX}], ${i}`));
    }
  }
});

gpuTest("conv2d leaves no bytes behind", async (gpu) => {
  for (const kernel of [1, 3]) {
    await flat(gpu, () => {
      using _scope = gpu.scope();
      const x = full(gpu, [2, 9, 9, 3], 1).requireGrad();
      const weight = full(gpu, [kernel, kernel, 3, 5], 1).requireGrad();
      const bias = full(gpu, [5], 1).requireGrad();
      const y = conv2d(x, weight, bias, { padding: (kernel - 1) / 2 });
      gradients(y, [x, weight, bias], { seed: full(gpu, y.shape, 1) });
    });
  }
});

gpuTest("conv2d holds an image only for the weight's gradient", (gpu) => {
  using _scope = gpu.scope();
  for (const kernel of [1, 3]) {
    const x = full(gpu, [1, 5, 5, 3], 1).requireGrad();
    const weight = full(gpu, [kernel, kernel, 3, 5], 1);
    const frozen = conv2d(x, weight);
    assertEquals(frozen.node!.saved.map(({ shape }) => shape), [weight.shape]);
    const both = conv2d(x, weight.requireGrad());
    assertEquals(both.node!.saved.map(({ shape }) => shape), [x.shape, weight.shape]);
  }
});

gpuTest("conv2d refuses what does not fit", (gpu) => {
  using _scope = gpu.scope();
  const x = zeros(gpu, [1, 5, 5, 3]);
  const weight = zeros(gpu, [3, 3, 3, 8]);
  const refused: [() => Tensor, string][] = [
    [() => conv2d(zeros(gpu, [5, 5, 3]), weight), "x [5, 5, 3]"],
    [() => conv2d(x, zeros(gpu, [8, 3, 3, 3]), undefined), "larger than the padded image"],
    [() => conv2d(x, zeros(gpu, [3, 3, 8, 3])), "x has 3 channels"],
    [() => conv2d(x, weight, zeros(gpu, [3])), "expected [8]"],
    [() => conv2d(zeros(gpu, [0, 5, 5, 3]), weight), "expected [N, H, W, Cin]"],
    [() => conv2d(zeros(gpu, [1, 5, 5, 3], "u32"), weight), "x is u32"],
  ];
  for (const [work, message] of refused) assertThrows(work, ShapeError, message);
  for (const stride of [0, 1.5, -1]) {
    assertThrows(() => conv2d(x, weight, undefined, { stride }), RangeError, "stride");
  }
  assertThrows(() => conv2d(x, weight, undefined, { padding: -1 }), RangeError, "padding -1");
});

/** dw[ky, kx, i, o] = Σ x[n, y + ky − 1, x + kx − 1, i] dy[n, y, x, o]. */
function weightGradient(x: NDArray, dy: NDArray): NDArray {
  const [batch, height, width, cin] = x.shape;
  const cout = dy.shape[3];
  const dw = reference.filled([3, 3, cin, cout], 0);
  for (let pixel = 0; pixel < batch * height * width; pixel++) {
    for (let tap = 0; tap < 9; tap++) {
      const row = Math.floor(pixel / width) % height + Math.floor(tap / 3) - 1;
      const column = pixel % width + tap % 3 - 1;
      if (row < 0 || row >= height || column < 0 || column >= width) continue;
      const source = pixel + (Math.floor(tap / 3) - 1) * width + tap % 3 - 1;
      for (let i = 0; i < cin; i++) {
        for (let o = 0; o < cout; o++) {
          dw.data[(tap * cin + i) * cout + o] += x.data[source * cin + i] *
            dy.data[pixel * cout + o];
        }
      }
    }
  }
  return dw;
}

function upload(gpu: Gpu, x: NDArray): Tensor {
  return fromArray(gpu, toF32(x), x.shape);
}

function run(gpu: Gpu, work: () => Tensor[]): Promise<Float32Array[]> {
  using _scope = gpu.scope();
  return Promise.all(work().map((tensor) => tensor.readF32()));
}
