import { assert, assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import type { Gpu } from "../../src/gpu/mod.ts";
import { concat, sub } from "../../src/ops/mod.ts";
import { CodaQuantizer } from "../../src/quantizer/mod.ts";
import { gradients, normal, Random, ShapeError, type Tensor } from "../../src/tensor/mod.ts";
import { assertClose, assertSame } from "../support/compare.ts";
import { flat, gpuTest } from "../support/gpu.ts";

function makeQuantizer(gpu: Gpu): CodaQuantizer {
  const quantizer = new CodaQuantizer(gpu, {
    codebookSize: 50,
    channels: 4,
    attentionDim: 8,
    patchSizes: [1, 2, 3, 4],
    norm: "rms",
    beta: 0.05,
  });
  quantizer.parameters.initialize(new Random(1));
  return quantizer;
}

async function codes(quantizer: CodaQuantizer, f: Tensor): Promise<number[][]> {
  const pending = (() => {
    using _scope = f.gpu.scope();
    return quantizer.encode(f).map((index) => index.readU32());
  })();
  return (await Promise.all(pending)).map((scale) => [...scale]);
}

gpuTest("an image's codes are the same alone and anywhere in a batch", async (gpu) => {
  using quantizer = makeQuantizer(gpu);
  using scope = gpu.scope();
  const images = [2, 3, 4].map((seed) => normal(gpu, [1, 7, 5, 4], new Random(seed)));
  const batch = scope.keep(concat(images, 0));
  const alone: number[][][] = [];
  for (const image of images) alone.push(await codes(quantizer, image));
  const together = await codes(quantizer, batch);
  together.forEach((scale, s) => {
    const count = scale.length / 3;
    alone.forEach((image, n) => assertEquals(scale.slice(n * count, (n + 1) * count), image[s]));
  });
  assertNotEquals(alone[0], alone[1]);
  batch.dispose();
});

gpuTest("training and inference choose the same codes and give the same latent", async (gpu) => {
  await flat(gpu, async () => {
    using quantizer = makeQuantizer(gpu);
    using f = normal(gpu, [2, 4, 6, 4], new Random(2));
    const pending = (() => {
      using _scope = gpu.scope();
      const trained = quantizer.forward(f);
      const encoded = quantizer.encode(f);
      const decoded = quantizer.decode(encoded, { height: 4, width: 6 });
      const reads = [trained.fHat, decoded].map((t) => t.readF32());
      const indices = [...trained.indices, ...encoded].map((t) => t.readU32());
      return [Promise.all(reads), Promise.all(indices)] as const;
    })();
    const [[fHat, decoded], indices] = await Promise.all(pending);
    assertClose(decoded, fHat, { relative: 1e-6 });
    assertEquals(indices.slice(0, 4), indices.slice(4));
  });
});

gpuTest(
  "an encoder finds the quantizer's codes and margins, latent for latent, and frees its keys",
  async (gpu) => {
    using quantizer = makeQuantizer(gpu);
    using first = normal(gpu, [2, 7, 5, 4], new Random(2));
    using second = normal(gpu, [1, 4, 4, 4], new Random(3));
    await flat(gpu, async () => {
      using encoder = quantizer.encoder();
      for (const f of [first, second]) {
        const [found, expected] = await flat(gpu, () => {
          using _scope = gpu.scope();
          return Promise.all([encoder, quantizer].map((from) => {
            const scales = [
              ...from.encode(f).map((index) => ({ index })),
              ...from.encodeWithMargins(f),
            ];
            const reads = scales.flatMap((scale) => Object.values(scale)).map((t) => t.read());
            return Promise.all(reads);
          }));
        });
        found.forEach((numbers, i) => assertSame(numbers, expected[i]));
      }
    });
  },
);

gpuTest("an encoder outlives the scope that it is made in", async (gpu) => {
  using quantizer = makeQuantizer(gpu);
  using f = normal(gpu, [1, 4, 4, 4], new Random(2));
  await flat(gpu, async () => {
    using encoder = (() => {
      using _scope = gpu.scope();
      return quantizer.encoder();
    })();
    const codes = (from: Pick<CodaQuantizer, "encode">) => {
      using _scope = gpu.scope();
      return Promise.all(from.encode(f).map((index) => index.read()));
    };
    assertEquals(await codes(encoder), await codes(quantizer));
  });
});

gpuTest("each further scale leaves less over", async (gpu) => {
  using quantizer = makeQuantizer(gpu);
  // values equal to codes, so that a code always brings its latent nearer
  const identity = Float32Array.from({ length: 16 }, (_, i) => i % 5 === 0 ? 1 : 0);
  quantizer.parameters.set("attn.to_v.weight", identity);
  quantizer.parameters.set("attn.to_v.bias", new Float32Array(4));
  const query = (await quantizer.parameters.weights()).find(({ name }) =>
    name === "attn.to_q.weight"
  )!;
  quantizer.parameters.set("attn.to_k.weight", query.data);
  using f = normal(gpu, [1, 8, 8, 4], new Random(5));
  const pending = (() => {
    using _scope = gpu.scope();
    const indices = quantizer.encode(f);
    return [1, 4].map((count) => {
      const left = sub(f, quantizer.decode(indices.slice(0, count), { height: 8, width: 8 }));
      return left.readF32().then((values) => Math.hypot(...values));
    });
  })();
  const [one, four] = await Promise.all(pending);
  assert(four < one, `${four} is left after four scales, ${one} after one`);
});

gpuTest("all parameters and the input receive gradients, and no bytes stay behind", async (gpu) => {
  await flat(gpu, async () => {
    using quantizer = makeQuantizer(gpu);
    using f = normal(gpu, [1, 4, 4, 4], new Random(2)).requireGrad();
    const tensors = [f, ...[...quantizer.parameters].map(({ tensor }) => tensor.requireGrad())];
    const pending = (() => {
      using _scope = gpu.scope();
      const { fHat } = quantizer.forward(f);
      const seed = normal(gpu, fHat.shape, new Random(3));
      return gradients(fHat, tensors, { seed }).map((gradient) => gradient.readF32());
    })();
    for (const gradient of await Promise.all(pending)) assert(Math.hypot(...gradient) > 0);
  });
});

gpuTest("a latent of other channels is refused", (gpu) => {
  using quantizer = makeQuantizer(gpu);
  using f = normal(gpu, [1, 4, 4, 5], new Random(2));
  assertThrows(
    () => quantizer.encode(f),
    ShapeError,
    "expected a latent [B, H, W, 4], found [1, 4, 4, 5]",
  );
});
