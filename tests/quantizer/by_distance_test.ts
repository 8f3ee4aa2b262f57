import { assert, assertEquals, assertThrows } from "@std/assert";
import type { Gpu } from "../../src/gpu/mod.ts";
import { add, mul, sum } from "../../src/ops/mod.ts";
import {
  makeQuantizer,
  MultiScaleQuantizer,
  NearestQuantizer,
  type Quantizer,
  type QuantizerConfig,
} from "../../src/quantizer/mod.ts";
import { nearestTick } from "../../src/quantizer/phi.ts";
import {
  fromArray,
  gradients,
  normal,
  Random as Seeded,
  ShapeError,
} from "../../src/tensor/mod.ts";
import { assertBits, assertClose } from "../support/compare.ts";
import { dot, slopes } from "../support/finite_differences.ts";
import { flat, gpuTest } from "../support/gpu.ts";
import { Random } from "../support/random.ts";
import { nd, type NDArray, toF32 } from "../support/reference.ts";
import { codesOf, latentsOf, meanSquare, type VqReference } from "./nearest_reference.ts";

const SHAPE = { codebookSize: 9, channels: 4, beta: 0.25 };
const NEAREST = { kind: "nearest", ...SHAPE, patchSizes: [4] } as const;
const MULTI_SCALE = {
  kind: "multiscale",
  ...SHAPE,
  patchSizes: [1, 2, 3, 4],
  quantResi: 0.5,
  shareQuantResi: 2,
} as const;
const CONFIGS: readonly QuantizerConfig[] = [
  NEAREST,
  MULTI_SCALE,
  { ...MULTI_SCALE, shareQuantResi: 0 },
  { ...MULTI_SCALE, shareQuantResi: 1 },
];

const LATENT = [2, 3, 5, 4];
const random = new Random(3);
const f = nd(LATENT, toF32(random.normal(LATENT)));
const w = nd(LATENT, toF32(random.normal(LATENT)));

function made(gpu: Gpu, config: QuantizerConfig): Quantizer {
  const quantizer = makeQuantizer(gpu, config);
  quantizer.parameters.initialize(new Seeded(1));
  return quantizer;
}

/** Which φ each of the four scales has, of two by VAR's ticks ¼ and ¾ at the places 0, ⅓, ⅔, 1. */
const PHI_OF_SCALE: Record<number, readonly string[]> = {
  0: ["quant_resi.0", "quant_resi.1", "quant_resi.2", "quant_resi.3"],
  1: Array(4).fill("quant_resi.qresi"),
  2: [
    "quant_resi.qresi_ls.0",
    "quant_resi.qresi_ls.0",
    "quant_resi.qresi_ls.1",
    "quant_resi.qresi_ls.1",
  ],
};

/** The reference's model, of parameters by name as they lie on the GPU. */
function modelOf(config: QuantizerConfig, values: ReadonlyMap<string, NDArray>): VqReference {
  const codebook = values.get("embedding.weight")!;
  if (config.kind !== "multiscale") return { codebook };
  const phis = PHI_OF_SCALE[config.shareQuantResi].map((name) => ({
    weight: values.get(`${name}.weight`)!,
    bias: values.get(`${name}.bias`)!,
    ratio: config.quantResi,
  }));
  return { codebook, phis };
}

/** Everything that a training pass gives: its objective is L_q + Σ w·f̂. */
async function trained(gpu: Gpu, quantizer: Quantizer) {
  return await flat(gpu, async () => {
    const read = () => {
      using _scope = gpu.scope();
      const parameters = [...quantizer.parameters];
      const latent = fromArray(gpu, toF32(f), f.shape).requireGrad();
      const leaves = [latent, ...parameters.map(({ tensor }) => tensor.requireGrad())];
      const { fHat, vqLoss, entropyLoss, indices } = quantizer.forward(latent);
      assertEquals(entropyLoss, undefined);
      const objective = add(vqLoss, sum(mul(fHat, fromArray(gpu, toF32(w), w.shape))));
      const found = gradients(objective, leaves);
      const values = parameters.map(({ tensor }) => tensor.readF32());
      return {
        names: ["f", ...parameters.map(({ name }) => name)],
        shapes: parameters.map(({ tensor }) => tensor.shape),
        floats: Promise.all([fHat, vqLoss, ...found].map((tensor) => tensor.readF32())),
        values: Promise.all(values),
        codes: Promise.all(indices.map((index) => index.readU32())),
      };
    };
    const { names, shapes, ...reads } = read();
    const [[fHat, [vqLoss], ...found], values, codes] = await Promise.all([
      reads.floats,
      reads.values,
      reads.codes,
    ]);
    const byName = new Map(names.slice(1).map((name, i) => [name, nd(shapes[i], values[i])]));
    return { fHat, vqLoss, codes, gradients: new Map(names.map((n, i) => [n, found[i]])), byName };
  });
}

for (const config of CONFIGS) {
  const name = config.kind + ("shareQuantResi" in config ? ` of φ ${config.shareQuantResi}` : "");
  gpuTest(`${name}: codes, latent, loss and gradients are those of the definition`, async (gpu) => {
    using quantizer = made(gpu, config);
    const found = await trained(gpu, quantizer);
    const grids = quantizer.gridsFor(LATENT[1], LATENT[2]);
    const model = modelOf(config, found.byName);
    const codes = codesOf(f, model, grids);
    assertEquals(found.codes.map((scale) => [...scale]), codes);
    const before = latentsOf(LATENT, model, codes, grids);
    assertClose(found.fHat, before.at(-1)!.data, { name: "f̂", relative: 1e-6 });

    /** L_q with what stands under sg as it was before anything moved. */
    const loss = (latent: NDArray, values: ReadonlyMap<string, NDArray>) =>
      latentsOf(LATENT, modelOf(config, values), codes, grids)
        .reduce(
          (sum, fHat, scale) =>
            sum + meanSquare(fHat, f) + config.beta * meanSquare(before[scale], latent),
          0,
        ) /
      grids.length;
    assertClose([found.vqLoss], [loss(f, found.byName)], { name: "L_q", relative: 1e-6 });
    // f̂ is f + sg(f̂ − f): its gradient is the latent's.
    const ofLatent = (latent: NDArray) => loss(latent, found.byName) + dot(latent.data, w.data);
    const everyThird = [...f.data.keys()].filter((i) => i % 3 === 0);
    assertClose(
      everyThird.map((i) => found.gradients.get("f")![i]),
      slopes(ofLatent, f, everyThird),
      { name: "gradient of f", relative: 1e-5 },
    );
    for (const [name, value] of found.byName) {
      const chosen = [...value.data.keys()].filter((i) => i % 5 === 0 || value.data.length < 40);
      const of = (moved: NDArray) => loss(f, new Map(found.byName).set(name, moved));
      const gradient = found.gradients.get(name)!;
      assertClose(chosen.map((i) => gradient[i]), slopes(of, value, chosen), {
        name: `gradient of ${name}`,
        relative: 1e-4,
      });
    }
  });

  gpuTest(
    `${name}: training, inference and each image alone give the same, bit for bit`,
    async (gpu) => {
      using quantizer = made(gpu, config);
      using latents = fromArray(gpu, toF32(f), f.shape);
      using alone = fromArray(gpu, toF32(f).slice(60), [1, 3, 5, 4]);
      await flat(gpu, async () => {
        const pending = (() => {
          using _scope = gpu.scope();
          const forward = quantizer.forward(latents);
          const encoded = quantizer.encode(latents);
          const margins = quantizer.encodeWithMargins(latents);
          const decoded = quantizer.decode(encoded, { height: 3, width: 5 });
          const floats = [forward.fHat, decoded, ...margins.map(({ margin }) => margin)];
          const codes = [
            ...forward.indices,
            ...encoded,
            ...margins.map(({ index }) => index),
            ...quantizer.encode(alone),
          ];
          return [
            Promise.all(floats.map((tensor) => tensor.readF32())),
            Promise.all(codes.map((tensor) => tensor.readU32())),
          ] as const;
        })();
        const [[fHat, decoded, ...margins], codes] = await Promise.all(pending);
        assertBits(fHat, decoded, "f̂");
        assert(margins.every((scale) => scale.every((margin) => margin >= 0)));
        const scales = codes.length / 4;
        const inTraining = codes.slice(0, scales);
        assertEquals(codes.slice(scales, 2 * scales), inTraining);
        assertEquals(codes.slice(2 * scales, 3 * scales), inTraining);
        assertEquals(
          codes.slice(3 * scales),
          inTraining.map((codes) => codes.slice(codes.length / 2)),
        );
      });
    },
  );
}

gpuTest("a prefix of the scales is a coarser latent", async (gpu) => {
  using quantizer = made(gpu, MULTI_SCALE);
  const pending = (() => {
    using _scope = gpu.scope();
    const indices = quantizer.encode(fromArray(gpu, toF32(f), f.shape));
    return [
      Promise.all(indices.map((index) => index.readU32())),
      quantizer.decode(indices.slice(0, 2), { height: 3, width: 5 }).readF32(),
    ] as const;
  })();
  const codes = (await pending[0]).slice(0, 2).map((scale) => [...scale]);
  const values = new Map<string, NDArray>();
  for (const { name, tensor } of quantizer.parameters) {
    values.set(name, nd(tensor.shape, await tensor.readF32()));
  }
  const grids = quantizer.gridsFor(3, 5);
  const expected = latentsOf(LATENT, modelOf(MULTI_SCALE, values), codes, grids).at(-1)!;
  assertClose(await pending[1], expected.data, { relative: 1e-6 });
});

gpuTest("φ carry VAR's names", (gpu) => {
  using quantizer = new MultiScaleQuantizer(gpu, { ...MULTI_SCALE, shareQuantResi: 4 });
  const phis = [0, 1, 2, 3].flatMap((k) =>
    ["weight", "bias"].map((part) => `quant_resi.qresi_ls.${k}.${part}`)
  );
  const names = [...quantizer.parameters].map(({ name }) => name);
  assertEquals(names, [...phis, "embedding.weight"]);
});

/** NumPy's argmin of |linspace − place| in VAR's order of operations. */
const TICKS: readonly (readonly [count: number, phis: readonly number[]])[] = [
  [2, [0, 0, 0, 0, 0, 1, 1, 1, 1, 1]],
  [3, [0, 0, 0, 0, 1, 1, 1, 2, 2, 2]],
  [4, [0, 0, 1, 1, 1, 2, 2, 3, 3, 3]],
  [5, [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]],
  [10, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]],
];

Deno.test("ten scales have the φ that they have in VAR, near ties too", () => {
  for (const [count, expected] of TICKS) {
    assertEquals(expected.map((_, scale) => nearestTick(scale, 10, count)), [...expected]);
  }
  assertEquals([0, 1, 2, 3].map((scale) => nearestTick(scale, 4, 4)), [0, 1, 2, 3]);
  assertEquals(nearestTick(0, 1, 4), 0);
});

gpuTest("what does not fit is refused", (gpu) => {
  assertThrows(
    () => new NearestQuantizer(gpu, { ...NEAREST, patchSizes: [1, 2] }),
    RangeError,
    "2 patch sizes, expected one",
  );
  using quantizer = made(gpu, NEAREST);
  using _scope = gpu.scope();
  const wide = normal(gpu, [1, 4, 4, 5], new Seeded(2));
  assertThrows(() => quantizer.encode(wide), ShapeError, "expected a latent [B, H, W, 4]");
  const codes = quantizer.encode(normal(gpu, [1, 4, 4, 4], new Seeded(2)));
  assertThrows(() => quantizer.decode(codes, { height: 4, width: 5 }), ShapeError, "[1, 4, 4]");
  const twice = [...codes, ...codes];
  assertThrows(() => quantizer.decode(twice, { height: 4, width: 4 }), RangeError, "has 1");
});

gpuTest("training at 16,384 codes never holds the logits", async (gpu) => {
  using quantizer = new NearestQuantizer(gpu, {
    kind: "nearest",
    codebookSize: 16_384,
    channels: 16,
    patchSizes: [32],
    beta: 0.25,
  });
  quantizer.parameters.initialize(new Seeded(1));
  const before = gpu.memory.live;
  gpu.resetPeak();
  {
    using _scope = gpu.scope();
    const latent = normal(gpu, [1, 32, 32, 16], new Seeded(2)).requireGrad();
    const leaves = [latent, ...[...quantizer.parameters].map(({ tensor }) => tensor.requireGrad())];
    gradients(quantizer.forward(latent).vqLoss, leaves);
  }
  await gpu.sync();
  const logits = 4 * 1024 * 16_384;
  const peak = gpu.memory.peak - before;
  assert(peak < logits / 8, `${peak} bytes, of which the logits alone would be ${logits}`);
});
