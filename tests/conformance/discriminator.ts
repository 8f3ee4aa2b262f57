import { DinoVit, discriminatorLoss, generatorLoss } from "../../src/losses/mod.ts";
import { VitBlock } from "../../src/losses/dino/vit_block.ts";
import { Parameters } from "../../src/nn/mod.ts";
import { affine, bicubic, mul, sub, sum } from "../../src/ops/mod.ts";
import type { Gpu } from "../../src/gpu/mod.ts";
import { fromArray, gradients, type Tensor } from "../../src/tensor/mod.ts";
import { assertClose } from "../support/compare.ts";
import { gpuTest } from "../support/gpu.ts";
import { generate, generatedSource, type GeneratedWeight } from "./generated.ts";
import { discriminatorHeads } from "./discriminator_heads.ts";
import { Golden, tolerance } from "./golden.ts";

interface BlockJson {
  weights: GeneratedWeight[];
  x: GeneratedWeight;
  w: GeneratedWeight;
  f32_vs_f64: [number, number];
}

interface DiscriminatorJson {
  dino_weights: GeneratedWeight[];
}

interface LossesJson {
  hinge_d_loss: number;
  g_loss: number;
}

/** The discriminator and its losses against the official code's. */
export function discriminator(goldens: string): void {
  gpuTest("vit_block: output and input gradient equal the official ones", async (gpu) => {
    using golden = await Golden.open<BlockJson>(goldens, "vit_block");
    await checkBlock(gpu, golden);
  });
  gpuTest("dino_disc: the five readouts of the ViT equal the official ones", async (gpu) => {
    using golden = await Golden.open<DiscriminatorJson>(goldens, "dino_disc");
    await checkReadouts(gpu, golden);
  });
  discriminatorHeads(goldens);
  gpuTest("losses_scalar: hinge losses equal the official ones", async (gpu) => {
    using golden = await Golden.open<LossesJson>(goldens, "losses_scalar");
    const [real, fake] = await Promise.all(
      ["logits_real", "logits_fake"].map(async (name) =>
        fromArray(gpu, await golden.file.floats(name), golden.file.info(name).shape)
      ),
    );
    const found = [await discriminatorLoss(real, fake).item(), await generatorLoss(fake).item()];
    assertClose(found, [golden.json.hinge_d_loss, golden.json.g_loss], { relative: 1e-6 });
  });
}

async function checkBlock(gpu: Gpu, golden: Golden<BlockJson>): Promise<void> {
  const { weights, x, w, f32_vs_f64 } = golden.json;
  using parameters = new Parameters(gpu);
  const block = new VitBlock(parameters, x.shape[2], 6);
  await parameters.load(generatedSource(weights));
  const input = fromArray(gpu, generate(x), x.shape).requireGrad();
  const output = block.forward(input);
  const reads = [output.readF32()];
  const [gradient] = gradients(sum(mul(output, fromArray(gpu, generate(w), w.shape))), [input]);
  const [out, grad] = await Promise.all([...reads, gradient.readF32()]);
  const relative = tolerance(1e-4, f32_vs_f64[0]);
  const [, tokens, width] = x.shape;
  const at = [0, 1, 100, 196];
  const rows = (values: Float32Array) =>
    at.flatMap((token) => [...values.subarray(token * width, (token + 1) * width)]);
  const compare = async (actual: ArrayLike<number>, name: string) =>
    assertClose(actual, await golden.file.floats(name), { relative, name });
  await compare(rows(out), "out_tokens_0_1_100_196");
  await compare(rows(grad), "grad_x_tokens_0_1_100_196");
  await compare(Array.from({ length: tokens }, (_, token) => out[token * width]), "out_channel0");
  const mean = (channel: number) => {
    let total = 0;
    for (let token = 0; token < tokens; token++) total += out[token * width + channel];
    return total / tokens;
  };
  await compare(Array.from({ length: width }, (_, i) => mean(i)), "out_mean_over_tokens");
}

async function checkReadouts(gpu: Gpu, golden: Golden<DiscriminatorJson>): Promise<void> {
  using vit = await DinoVit.load(gpu, generatedSource(golden.json.dino_weights));
  const resized = bicubic(await golden.image(gpu, "image64"), { height: 224, width: 224 });
  const found = await Promise.all(vit.forward(normalised(gpu, resized)).map((x) => x.readF32()));
  for (const [i, values] of found.entries()) {
    const name = `act${i}.first4ch`;
    const [batch, channels, tokens] = golden.file.info(name).shape;
    const expected = await golden.file.floats(name);
    const actual = expected.map((_, at) => {
      const [image, channel] = [Math.floor(at / (channels * tokens)), Math.floor(at / tokens)];
      const row = image * tokens + at % tokens;
      return values[row * (values.length / (batch * tokens)) + channel % channels];
    });
    assertClose(actual, expected, { relative: 1e-4, name });
  }
}

/** From [-1, 1] to ImageNet's mean and deviation, by the definition. */
function normalised(gpu: Gpu, image: Tensor): Tensor {
  const mean = fromArray(gpu, [0.485, 0.456, 0.406], [3]);
  const scale = fromArray(gpu, [1 / 0.229, 1 / 0.224, 1 / 0.225], [3]);
  return mul(sub(affine(image, 0.5, 0.5), mean), scale);
}
