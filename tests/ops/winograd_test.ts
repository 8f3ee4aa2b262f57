import { assert, assertEquals } from "@std/assert";
import type { Gpu } from "../../src/gpu/mod.ts";
import { conv2d, type Conv2dOptions } from "../../src/ops/conv2d.ts";
import { algorithmFor, withConvolution } from "../../src/ops/conv2d_algorithm.ts";
import { withKind } from "../../src/ops/tile.ts";
import { fromArray, gradients, slice, type Tensor } from "../../src/tensor.ts";
import { assertClose, assertSame } from "../support/compare.ts";
import { flat, gpuTest } from "../support/gpu.ts";
import { Random } from "../support/random.ts";
import * as reference from "../support/reference.ts";
import { type NDArray, toF32 } from "../support/reference.ts";

gpuTest(
  "winograd: no output is off by more than 1e-5 of the largest, with many channels",
  async (gpu) => {
    for (const channels of [32, 512]) {
      const random = new Random(channels);
      const [x, weight] = [random.normal([1, 6, 5, channels]), random.normal([3, 3, channels, 16])];
      const expected = reference.conv2d(rounded(x), rounded(weight), null, { padding: 1 });
      const found = await withConvolution(
        "winograd",
        () =>
          read(gpu, () => [conv2d(upload(gpu, x), upload(gpu, weight), undefined, { padding: 1 })]),
      );
      const largest = Math.max(...expected.data.map(Math.abs));
      assertClose(found[0], expected, { relative: 4e-6, absolute: 1e-5 * largest });
    }
  },
);

gpuTest("winograd: more tiles than fit the workspace at once", async (gpu) => {
  const random = new Random(2);
  const shape = [2, 97, 66, 33];
  const [x, weight, dy] = [shape, [3, 3, 33, 20], [2, 97, 66, 20]].map((s) => random.normal(s));
  const compute = () =>
    read(gpu, () => {
      const inputs = [upload(gpu, x).requireGrad(), upload(gpu, weight).requireGrad()];
      const y = conv2d(inputs[0], inputs[1], undefined, { padding: 1 });
      return [y, ...gradients(y, inputs, { seed: upload(gpu, dy) })];
    });
  const direct = await withConvolution("direct", compute);
  for (const kind of ["cpu", "gpu"] as const) {
    const found = await withKind(kind, () => withConvolution("winograd", compute));
    found.forEach((values, i) =>
      assertClose(values, direct[i], { relative: 4e-6, name: `${kind}: ${i}` })
    );
  }
});

gpuTest("winograd: rows from a multiple of 4 on have the bits of the whole image", async (gpu) => {
  const random = new Random(4);
  const [x, weight] = [random.normal([1, 23, 11, 16]), random.normal([3, 3, 16, 16])];
  const sides = { left: 1, right: 1 };
  const [whole, ...bands] = await read(gpu, () => {
    const [image, w] = [upload(gpu, x), upload(gpu, weight)];
    const band = (from: number, to: number, options: Conv2dOptions) =>
      conv2d(slice(image, [0, from, 0, 0], [1, to, 11, 16]), w, undefined, options);
    return [
      conv2d(image, w, undefined, { padding: 1 }),
      band(0, 9, { padding: { ...sides, top: 1, bottom: 0 } }),
      band(7, 21, { padding: { ...sides, top: 0, bottom: 0 } }),
      band(19, 23, { padding: { ...sides, top: 0, bottom: 1 } }),
    ];
  });
  assertSame(Float32Array.from(bands.flatMap((band) => [...band])), whole);
});

gpuTest("winograd: an image has its bits where parts of a batch straddle images", async (gpu) => {
  const random = new Random(6);
  const [side, channels, count] = [65, 32, 3];
  const [x, dy] = [0, 1].map(() => random.normal([count, side, side, channels]));
  const weight = random.normal([3, 3, channels, channels]);
  const compute = (from: number, to: number) =>
    read(gpu, () => {
      const [image, seed] = [x, dy].map((all) => slice(upload(gpu, all), [from], [to]));
      image.requireGrad();
      const y = conv2d(image, upload(gpu, weight), undefined, { padding: 1 });
      return [y, ...gradients(y, [image], { seed })];
    });
  for (const kind of ["cpu", "gpu"] as const) {
    await withKind(kind, async () => {
      const together = await compute(0, count);
      for (let i = 0; i < count; i++) {
        const alone = await compute(i, i + 1);
        alone.forEach((values, which) => {
          const length = values.length;
          assertSame(together[which].subarray(i * length, (i + 1) * length), values);
        });
      }
    });
  }
});

gpuTest("winograd: the same bits on both kinds of adapter", async (gpu) => {
  const random = new Random(3);
  const [x, weight] = [random.normal([1, 10, 19, 17]), random.normal([3, 3, 17, 18])];
  const compute = () => read(gpu, () => [conv2d(upload(gpu, x), upload(gpu, weight))]);
  const [onCpu] = await withKind("cpu", compute);
  const [onGpu] = await withKind("gpu", compute);
  assertSame(onCpu, onGpu);
});

gpuTest(
  "winograd: leaves no bytes behind, and holds a bounded workspace meanwhile",
  async (gpu) => {
    const side = 256;
    await flat(gpu, () => {
      using _scope = gpu.scope();
      const x = fromArray(gpu, new Float32Array(side * side * 16), [1, side, side, 16]);
      const weight = fromArray(gpu, new Float32Array(9 * 256), [3, 3, 16, 16]);
      const before = gpu.memory.live;
      gpu.resetPeak();
      const y = conv2d(x, weight, undefined, { padding: 1 });
      const most = gpu.isCpu ? 2 ** 21 : 2 ** 26;
      assert(gpu.memory.peak - before <= y.size * 4 + most + 36 * 256 * 4);
    });
  },
);

Deno.test("the algorithm follows from kernel, stride, padding and channels", () => {
  const geometry = {
    batch: 1,
    image: [8, 8],
    cin: 16,
    kernel: [3, 3],
    output: [8, 8],
    cout: 64,
    stride: 1,
    top: 1,
    left: 1,
  };
  const chosen = (other: Partial<typeof geometry>) => algorithmFor({ ...geometry, ...other });
  assertEquals(chosen({}), "winograd");
  assertEquals(chosen({ batch: 7, image: [1, 99], output: [1, 99] }), "winograd");
  assertEquals(chosen({ cin: 3 }), "direct");
  assertEquals(chosen({ cout: 3 }), "direct");
  assertEquals(chosen({ stride: 2 }), "direct");
  assertEquals(chosen({ kernel: [1, 3] }), "direct");
  assertEquals(chosen({ top: 3 }), "direct");
});

function upload(gpu: Gpu, x: NDArray): Tensor {
  return fromArray(gpu, toF32(x), x.shape);
}

/** The numbers that the GPU sees. */
function rounded(x: NDArray): NDArray {
  return { shape: x.shape, data: Float64Array.from(toF32(x)) };
}

function read(gpu: Gpu, work: () => Tensor[]): Promise<Float32Array[]> {
  using _scope = gpu.scope();
  return Promise.all(work().map((tensor) => tensor.readF32()));
}
