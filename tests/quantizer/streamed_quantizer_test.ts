import { assert, assertEquals, assertThrows } from "@std/assert";
import type { Gpu } from "../../src/gpu/mod.ts";
import { add, affine, concat, mul, sum } from "../../src/ops/mod.ts";
import { CodaQuantizer, type CodaQuantizerConfig } from "../../src/quantizer/mod.ts";
import { type Path, withPath } from "../../src/quantizer/path.ts";
import { gradients, normal, Random, type Tensor } from "../../src/tensor/mod.ts";
import { assertClose, assertSame } from "../support/compare.ts";
import { flat, gpuTest } from "../support/gpu.ts";

const CONFIG: CodaQuantizerConfig = {
  codebookSize: 1000,
  channels: 16,
  attentionDim: 32,
  patchSizes: [1, 2, 4],
  norm: "rms",
  beta: 0.05,
};

function makeQuantizer(gpu: Gpu, changes: Partial<CodaQuantizerConfig> = {}): CodaQuantizer {
  const quantizer = new CodaQuantizer(gpu, { ...CONFIG, ...changes });
  quantizer.parameters.initialize(new Random(1));
  return quantizer;
}

/** Codes, f̂, losses, and the gradients of their sum, on one path. */
function everything(quantizer: CodaQuantizer, path: Path) {
  const { gpu } = quantizer.parameters;
  return withPath(path, async () => {
    const pending = (() => {
      using _scope = gpu.scope();
      const f = normal(gpu, [2, 4, 6, 16], new Random(2)).requireGrad();
      const parameters = [...quantizer.parameters].map(({ tensor }) => tensor.requireGrad());
      const { fHat, vqLoss, entropyLoss, indices } = quantizer.forward(f);
      const y = add(add(sum(mul(fHat, fHat)), vqLoss), affine(entropyLoss, 0.05, 0));
      const codes = [...indices, ...quantizer.encode(f)].map((index) => index.readU32());
      const numbers = [fHat, vqLoss, entropyLoss].map((t) => t.readF32());
      const found = gradients(y, [f, ...parameters]).map((gradient) => gradient.readF32());
      return [codes, numbers, found].map((reads) => Promise.all<Uint32Array | Float32Array>(reads));
    })();
    const [codes, numbers, found] = await Promise.all(pending);
    return { codes, numbers, found };
  });
}

for (const norm of ["rms", "layer", "none"] as const) {
  gpuTest(`streamed and composed agree with norm ${norm}`, async (gpu) => {
    await flat(gpu, async () => {
      using quantizer = makeQuantizer(gpu, { norm });
      const composed = await everything(quantizer, "composed");
      const streamed = await everything(quantizer, "streamed");
      streamed.codes.forEach((codes, i) => assertSame(codes, composed.codes[i], `codes ${i}`));
      streamed.codes.slice(0, 3).forEach((codes, i) => assertSame(codes, streamed.codes[i + 3]));
      assertSame(streamed.numbers[0], composed.numbers[0], "f̂");
      for (const i of [1, 2]) assertClose(streamed.numbers[i], composed.numbers[i]);
      const names = ["input", ...[...quantizer.parameters].map(({ name }) => name)];
      // what is added to all keys alike changes no softmax: such a bias has rounding for a gradient
      names.forEach((name, i) =>
        assertClose(streamed.found[i], composed.found[i], { relative: 1e-4, floor: 1, name })
      );
    });
  });
}

async function codesOf(quantizer: CodaQuantizer, f: Tensor): Promise<number[][]> {
  const pending = (() => {
    using _scope = f.gpu.scope();
    return quantizer.encode(f).map((index) => index.readU32());
  })();
  return (await Promise.all(pending)).map((scale) => [...scale]);
}

gpuTest("streamed codes are the same alone, in a batch, and on the composed path", async (gpu) => {
  using quantizer = makeQuantizer(gpu, { codebookSize: 4096 }); // large enough to be streamed
  using scope = gpu.scope();
  const images = [2, 3, 4].map((seed) => normal(gpu, [1, 5, 7, 16], new Random(seed)));
  const batch = scope.keep(concat(images, 0));
  const alone = await Promise.all(images.map((image) => codesOf(quantizer, image)));
  const together = await codesOf(quantizer, batch);
  assertEquals(await withPath("composed", () => codesOf(quantizer, batch)), together);
  together.forEach((scale, s) => {
    const count = scale.length / 3;
    alone.forEach((image, n) => assertEquals(scale.slice(n * count, (n + 1) * count), image[s]));
  });
  batch.dispose();
});

gpuTest("margins come with the same codes", async (gpu) => {
  using quantizer = makeQuantizer(gpu);
  using f = normal(gpu, [2, 3, 4, 16], new Random(2));
  await flat(gpu, async () => {
    const pending = (() => {
      using _scope = gpu.scope();
      return quantizer.encodeWithMargins(f).map(({ index, margin }) => {
        assertEquals(margin.shape, index.shape);
        return Promise.all([index.readU32(), margin.readF32()]);
      });
    })();
    const scales = await Promise.all(pending);
    assertEquals(scales.map(([index]) => [...index]), await codesOf(quantizer, f));
    for (const [, margin] of scales) assert(margin.every((m) => m > 0 && m < 10));
  });
});

gpuTest(
  "widths that no kernel has registers for are composed; margins refuse them",
  async (gpu) => {
    using quantizer = makeQuantizer(gpu, { attentionDim: 36 });
    using f = normal(gpu, [1, 4, 4, 16], new Random(2));
    await withPath("streamed", async () => {
      assertEquals((await codesOf(quantizer, f)).length, 3);
      assertThrows(() => quantizer.encodeWithMargins(f), RangeError, "attentionDim is 36");
    });
  },
);

gpuTest("a training pass takes memory for keys, values and gradients only", async (gpu) => {
  const peakOf = async (codebookSize: number) => {
    using quantizer = makeQuantizer(gpu, { codebookSize });
    await gpu.sync();
    const before = gpu.memory.live;
    gpu.resetPeak();
    {
      using _scope = gpu.scope();
      const f = normal(gpu, [1, 8, 8, 16], new Random(2)).requireGrad();
      const parameters = [...quantizer.parameters].map(({ tensor }) => tensor.requireGrad());
      const { fHat, vqLoss, entropyLoss } = quantizer.forward(f);
      gradients(add(add(sum(fHat), vqLoss), entropyLoss), [f, ...parameters]);
    }
    await gpu.sync();
    return gpu.memory.peak - before;
  };
  const growth = (await peakOf(32768) - await peakOf(16384)) / 16384;
  const needed = 4 * (2 * 32 + 16); // a code's key and value, and the gradient of its key
  const numbers = 4 * (3 + 1); // one a scale, and one while they are computed
  assert(growth <= needed + numbers, `${growth} bytes a code, expected about ${needed}`);
});
