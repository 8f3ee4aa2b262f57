import { assertEquals, assertThrows } from "@std/assert";
import { area, bicubic, bilinear, type ImageSize, nearest, sub } from "../../src/ops/mod.ts";
import { lessBicubic } from "../../src/ops/resample.ts";
import {
  fromArray,
  full,
  gradients,
  normal,
  Random as SeededRandom,
  ShapeError,
  type Tensor,
  zeros,
} from "../../src/tensor/mod.ts";
import { assertSame } from "../support/compare.ts";
import { gradcheck } from "../support/gradcheck.ts";
import { flat, gpuTest } from "../support/gpu.ts";
import { Random } from "../support/random.ts";
import * as reference from "../support/reference.ts";
import { type NDArray, toF32 } from "../support/reference.ts";
import { torchcheck } from "../support/torchcheck.ts";

interface Mode {
  op: (x: Tensor, size: ImageSize) => Tensor;
  reference: (x: NDArray, height: number, width: number) => NDArray;
}

const modes: Record<string, Mode> = {
  area: { op: area, reference: reference.resizeArea },
  bicubic: { op: bicubic, reference: reference.resizeBicubic },
  bilinear: { op: bilinear, reference: reference.resizeBilinear },
};

const sizes: [shape: number[], height: number, width: number][] = [
  [[1, 1, 1, 16], 16, 16],
  [[2, 16, 16, 4], 1, 1],
  [[1, 7, 5, 3], 3, 9],
  [[3, 3, 5, 8], 5, 3],
  [[1, 33, 1, 1], 7, 33],
  [[1, 13, 16, 5], 16, 13],
  [[2, 2, 3, 4], 2, 3],
];

for (const [name, mode] of Object.entries(modes)) {
  for (const [shape, height, width] of sizes) {
    gpuTest(
      `${name} [${shape}] to ${height}×${width}: float64 and finite differences`,
      async () => {
        await gradcheck({
          name: `${name} [${shape}] to ${height}×${width}`,
          inputs: [new Random(height * 100 + width).normal(shape)],
          op: ([x]) => mode.op(x, { height, width }),
          reference: ([x]) => mode.reference(x, height, width),
          forward: 1e-6,
          tolerance: 1e-5,
        });
      },
    );
  }

  gpuTest(`${name}: an image alone gives the bits it has in a batch`, async (gpu) => {
    const images = toF32(new Random(1).normal([3, 6, 7, 4]));
    const run = (batch: number, data: Float32Array) => {
      using _scope = gpu.scope();
      const x = fromArray(gpu, data, [batch, 6, 7, 4]).requireGrad();
      const y = mode.op(x, { height: 5, width: 9 });
      const [dx] = gradients(y, [x], { seed: full(gpu, y.shape, 0.3) });
      return Promise.all([y.readF32(), dx.readF32()]);
    };
    const together = await run(3, images);
    for (let i = 0; i < 3; i++) {
      const alone = await run(1, images.subarray(i * 168, (i + 1) * 168));
      assertSame(alone[0], together[0].subarray(i * 180, (i + 1) * 180));
      assertSame(alone[1], together[1].subarray(i * 168, (i + 1) * 168));
    }
  });
}

for (const [shape, factor] of [[[2, 3, 5, 8], 2], [[1, 7, 1, 3], 3], [[1, 1, 33, 4], 1]] as const) {
  gpuTest(`nearest [${shape}] times ${factor}: float64 and finite differences`, async () => {
    const size = { height: shape[1] * factor, width: shape[2] * factor };
    await gradcheck({
      name: `nearest [${shape}] times ${factor}`,
      inputs: [new Random(factor).normal(shape)],
      op: ([x]) => nearest(x, size),
      reference: ([x]) => reference.upsampleNearest(x, factor),
      forward: 1e-7,
      tolerance: 1e-5,
    });
  });
}

gpuTest("nearest to a smaller and to an odd size", async (gpu) => {
  using _scope = gpu.scope();
  const x = fromArray(gpu, [0, 1, 2, 3, 4], [1, 1, 5, 1]);
  const reads = [2, 3, 7].map((width) => nearest(x, { height: 1, width }).read());
  const [two, three, seven] = await Promise.all(reads);
  assertEquals([...two], [0, 2]); // ⌊i·5/m⌋
  assertEquals([...three], [0, 1, 3]);
  assertEquals([...seven], [0, 0, 1, 2, 2, 3, 4]);
});

gpuTest("resampling equals PyTorch's", async () => {
  await torchcheck("resizeArea", ([x], size) => area(x, size));
  await torchcheck("resizeBicubic", ([x], size) => bicubic(x, size));
  await torchcheck("resizeBilinear", ([x], size) => bilinear(x, size));
  await torchcheck("upsampleNearest", ([x], { factor }) => {
    const [, height, width] = x.shape;
    return nearest(x, { height: height * factor, width: width * factor });
  });
});

gpuTest("what bicubic resampling leaves is the same bits as their difference", async (gpu) => {
  using _scope = gpu.scope();
  for (const channels of [3, 8]) {
    const [x, y] = [[2, 3, 2, channels], [2, 7, 5, channels]].map((shape, seed) =>
      normal(gpu, shape, new SeededRandom(seed))
    );
    const expected = sub(y, bicubic(x, { height: 7, width: 5 }));
    assertSame(await lessBicubic(y, x).readF32(), await expected.readF32());
  }
});

gpuTest("resampling leaves no bytes behind", async (gpu) => {
  await flat(gpu, () => {
    using _scope = gpu.scope();
    const x = full(gpu, [1, 9, 11, 4], 1).requireGrad();
    const y = bicubic(area(x, { height: 4, width: 5 }), { height: 9, width: 11 });
    bilinear(x, { height: 3, width: 12 });
    gradients(nearest(y, { height: 18, width: 22 }), [x], { seed: full(gpu, [1, 18, 22, 4], 1) });
  });
});

gpuTest("resampling refuses what does not fit", (gpu) => {
  using _scope = gpu.scope();
  const x = full(gpu, [1, 2, 2, 3], 1);
  for (const op of [nearest, area, bicubic, bilinear]) {
    assertThrows(
      () => op(full(gpu, [2, 2, 3], 1), { height: 1, width: 1 }),
      ShapeError,
      "[N, H, W",
    );
    assertThrows(
      () => op(zeros(gpu, [1, 0, 2, 3]), { height: 1, width: 1 }),
      RangeError,
      "0×2 to 1×1",
    );
    assertThrows(() => op(zeros(gpu, [1, 2, 2, 3], "u32"), { height: 1, width: 1 }), ShapeError);
    assertThrows(() => op(x, { height: 0, width: 1 }), RangeError, "2×2 to 0×1");
    assertThrows(() => op(x, { height: 1, width: 1.5 }), RangeError, "1.5");
    assertThrows(() => op(x, { height: 1, width: 32768 }), RangeError, "32767");
  }
});
