import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { Gpu, GpuError } from "../../src/gpu/mod.ts";
import { fuseLora, injectLora } from "../../src/nn/mod.ts";
import { expectHalf } from "../../src/ops/mod.ts";
import { fromArray, Random, type Tensor } from "../../src/tensor/mod.ts";
import { VaeInMemory } from "../../src/vae/in_memory.ts";
import { AutoencoderKL, HalfOverflowError, type VaeConfig } from "../../src/vae/mod.ts";
import { runInBands } from "../../src/vae/run_bands.ts";
import { assertSame, relativeError } from "../support/compare.ts";
import { flat, gpuTest } from "../support/gpu.ts";
import { Random as Values } from "../support/random.ts";
import { toF32 } from "../support/reference.ts";

/** Every kind of layer: attention among the levels and in the middle, shortcuts, both 1×1 convs. */
const CONFIG: VaeConfig = {
  inChannels: 3,
  channels: [8, 16, 16],
  blocksPerLevel: 1,
  latentChannels: 4,
  normGroups: 4,
  midAttention: true,
  encoderAttentionLevels: [2],
  quantConv: true,
  postQuantConv: true,
  scale: 1,
  shift: 0,
};

const SIZE = { height: 20, width: 12 };
const IMAGE = toF32(new Values(1).normal([1, 20, 12, 3]));
const LATENT = toF32(new Values(2).normal([1, 5, 3, 4]));

function makeVae(gpu: Gpu): AutoencoderKL {
  const vae = new AutoencoderKL(gpu, CONFIG);
  vae.parameters.initialize(new Random(1));
  return vae;
}

/** The values of the moments of the image, and of the image of the latent. */
function run(vae: AutoencoderKL): Promise<Float32Array[]> {
  const { gpu } = vae.parameters;
  using _scope = gpu.scope();
  return Promise.all([
    vae.moments(fromArray(gpu, IMAGE, [1, 20, 12, 3])).readF32(),
    vae.decode(fromArray(gpu, LATENT, [1, 5, 3, 4])).readF32(),
  ]);
}

gpuTest(
  "an autoencoder in f16 gives the same but for rounding, from half the weights",
  (gpu) =>
    flat(gpu, async () => {
      const whole = makeVae(gpu);
      const expected = await run(whole);
      const weights = gpu.memory.live;
      using half = whole.toHalf();
      assert(gpu.memory.live < weights, "bytes of weights");
      const found = await run(half);
      for (const [i, values] of found.entries()) {
        const error = relativeError(values, expected[i]);
        assert(error > 1e-6 && error < 5e-3, `relative error ${error}`);
      }
      assertThrows(() => half.parameters.pages(), TypeError, "for inference");
    }),
);

gpuTest("feature maps in f16 take less than f32 ones", (gpu) => {
  const bytesOf = (vae: AutoencoderKL) =>
    gpu.measure(() => {
      vae.decode(fromArray(gpu, new Float32Array(64 * 64 * 4), [1, 64, 64, 4]));
    });
  using whole = makeVae(gpu);
  const expected = bytesOf(whole);
  using half = whole.toHalf();
  const found = bytesOf(half);
  assert(found < 0.7 * expected, `${found} bytes, ${expected} in f32`);
});

gpuTest("in bands, f16 maps give the bits that they give whole", async (gpu) => {
  using vae = makeVae(gpu).toHalf();
  const [moments, decoded] = await run(vae);
  const works = [
    { stages: vae.encoderStages(SIZE), values: IMAGE, expected: moments },
    { stages: vae.decoderStages(SIZE), values: LATENT, expected: decoded },
  ];
  for (const { stages, values, expected } of works) {
    for (const onHost of [false, true]) {
      const bands = { onHost, heights: stages.all.map(() => 8) };
      const found = await flat(gpu, () => runInBands(gpu, stages, bands, values));
      assertSame(found, expected, `on host: ${onHost}`);
    }
  }
});

gpuTest("LoRA is fused before weights are rounded", async (gpu) => {
  const vae = makeVae(gpu);
  const lora = injectLora(vae.convs, { rank: 2, targets: ["conv1"] });
  lora.parameters.initialize(new Random(3));
  fuseLora(vae.convs);
  using half = vae.toHalf();
  const [error] = (await run(half)).map((values) => values.some(Number.isNaN));
  assertEquals(error, false);
});

gpuTest("a value that f16 cannot hold is an error, in either direction", async (gpu) => {
  const whole = makeVae(gpu);
  for (const conv of ["encoder", "decoder"].map((part) => `${part}.conv_in.bias`)) {
    const { tensor } = [...whole.parameters].find(({ name }) => name === conv)!;
    tensor.write(new Float32Array(tensor.size).fill(7e4));
  }
  assert((await run(whole)).flatMap((values) => [...values]).every(Number.isFinite));
  using half = whole.toHalf();
  using work = new VaeInMemory(half);
  const then = { name: "nothing", make: () => [] };
  await assertRejects(() => work.encode(() => IMAGE, SIZE, 1, then), HalfOverflowError, "--half");
  const latent = {
    name: "latent",
    inputs: () => [fromArray(gpu, LATENT, [1, 5, 3, 4])],
    make: ([latent]: readonly Tensor[]) => latent,
  };
  await assertRejects(() => work.decode(SIZE, latent), HalfOverflowError, "decoded image");
});

gpuTest("an adapter without f16, or that hides what it cannot hold, is refused", async () => {
  using gpu = await Gpu.create();
  await expectHalf(gpu);
  Object.defineProperty(gpu, "hasHalf", { value: false });
  await assertRejects(() => expectHalf(gpu), GpuError, "has no floats of 16 bits");
  assertThrows(() => new AutoencoderKL(gpu, CONFIG, { half: true }), GpuError, "without half");
});
