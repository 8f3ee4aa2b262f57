import { DinoDiscriminator, DinoVit } from "../../src/losses/mod.ts";
import { DinoHead } from "../../src/losses/dino/head.ts";
import { HeadParameters } from "../../src/losses/dino/head_parameters.ts";
import { vitInput } from "../../src/losses/dino/input.ts";
import { Parameters, type WeightSource } from "../../src/nn/mod.ts";
import { mean, mul, neg, slice, sum } from "../../src/ops/mod.ts";
import type { Gpu } from "../../src/gpu/mod.ts";
import { fromArray, gradients, type Tensor } from "../../src/tensor/mod.ts";
import { assertClose } from "../support/compare.ts";
import { gpuTest } from "../support/gpu.ts";
import { generate, generatedSource, type GeneratedWeight } from "./generated.ts";
import { channelsLast, Golden, tolerance } from "./golden.ts";

interface HeadJson {
  weights: GeneratedWeight[];
  activation: GeneratedWeight;
  grad_norms: Record<string, number>;
  grad_activation_norm: number;
}

/** What the golden `dino_disc` says of its weights and of its own rounding. */
export interface DiscriminatorJson {
  dino_weights: GeneratedWeight[];
  head_weights: GeneratedWeight[];
  g_loss_train: number;
  f32_vs_f64: Record<"logits_train" | "grad_sum_logits_w" | "grad_minus_mean", [number, number]>;
}

/** A head alone and the whole discriminator against the official code's. */
export function discriminatorHeads(goldens: string): void {
  gpuTest("disc_head: evaluation, training and gradients equal the official ones", async (gpu) => {
    using golden = await Golden.open<HeadJson>(goldens, "disc_head");
    await checkHead(gpu, golden);
  });
  gpuTest("dino_disc: resized images and logits equal the official ones", async (gpu) => {
    using golden = await Golden.open<DiscriminatorJson>(goldens, "dino_disc");
    await checkResized(gpu, golden);
    await checkLogits(gpu, golden);
  });
  gpuTest("dino_disc: gradients at the image equal the official ones", async (gpu) => {
    using golden = await Golden.open<DiscriminatorJson>(goldens, "dino_disc");
    await checkImageGradients(gpu, golden);
  });
}

async function checkHead(gpu: Gpu, golden: Golden<HeadJson>): Promise<void> {
  const { weights, activation } = golden.json;
  const [batch, channels, length] = activation.shape;
  using trained = new Parameters(gpu);
  using buffers = new Parameters(gpu);
  const head = new DinoHead(new HeadParameters(trained, buffers), channels);
  const source = withVectors(golden, weights);
  await trained.load(source);
  await buffers.load(source);
  for (const { tensor } of trained) tensor.requireGrad();
  const values = channelsLast(generate(activation), [batch, channels, 1, length]);
  const x = fromArray(gpu, values, [batch, length, channels]).requireGrad();
  await compare(golden, await head.forward(x, false).readF32(), "logits_eval");

  const logits = head.forward(x, true);
  await compare(golden, await logits.readF32(), "logits_train");
  for (const { name, data } of await buffers.weights()) {
    await compare(golden, data, `after_train_forward.${name}`);
  }
  const w = fromArray(gpu, await golden.file.floats("w"), [batch, length]);
  const tensors = [...trained].map(({ tensor }) => tensor);
  const [dx, ...found] = gradients(sum(mul(logits, w)), [x, ...tensors]);
  await checkActivationGradient(golden, await dx.readF32());
  for (const [i, { name }] of [...trained].entries()) {
    await checkGradient(golden, name, await found[i].readF32());
  }
  await compare(golden, await head.forward(x, true).readF32(), "logits_train_second");
}

async function checkActivationGradient(golden: Golden<HeadJson>, dx: Float32Array): Promise<void> {
  assertClose([normOf(dx)], [golden.json.grad_activation_norm], { relative: 1e-4 });
  const [batch, channels, length] = golden.json.activation.shape;
  const first = Float32Array.from({ length: batch * 8 * length }, (_, i) => {
    const [image, channel] = [Math.floor(i / (8 * length)), Math.floor(i / length) % 8];
    return dx[(image * length + i % length) * channels + channel];
  });
  await compare(golden, first, "grad_activation_first8ch");
}

/** A gradient in full where it is stored, and by its norm; those before a batch norm are zero in exact arithmetic. */
async function checkGradient(
  golden: Golden<HeadJson>,
  name: string,
  found: Float32Array,
): Promise<void> {
  const isZero = name === "0.0.bias" || name === "1.fn.0.bias";
  if (isZero) {
    assertClose(found, found.map(() => 0), { relative: 1, absolute: 1e-4, floor: 1, name });
    return;
  }
  if (golden.file.has(`grad.${name}`)) await compare(golden, found, `grad.${name}`);
  const rows = `grad.${name}.first2rows`;
  if (golden.file.has(rows)) {
    const size = golden.file.info(rows).shape.reduce((a, b) => a * b);
    await compare(golden, found.subarray(0, size), rows);
  }
  assertClose([normOf(found)], [golden.json.grad_norms[name]], { relative: 1e-4, name });
}

async function checkResized(gpu: Gpu, golden: Golden<DiscriminatorJson>): Promise<void> {
  const [batch, channels, height, width] = golden.file.info("resized_image_corner").shape;
  const resized = vitInput(await golden.image(gpu, "image64"), 224);
  const corner = slice(resized, [0], [batch, height, width, channels]);
  await golden.assertImage(await corner.readF32(), "resized_image_corner", 1e-4);
}

async function checkLogits(gpu: Gpu, golden: Golden<DiscriminatorJson>): Promise<void> {
  using vit = await DinoVit.load(gpu, generatedSource(golden.json.dino_weights));
  using model = await loadDiscriminator(golden, vit);
  const image = await golden.image(gpu, "image64");
  const evaluated = await model.forward(image, { training: false }).readF32();
  await compare(golden, evaluated, "logits_eval");
  const relative = tolerance(1e-4, golden.json.f32_vs_f64.logits_train[0]);
  await compare(golden, await model.forward(image).readF32(), "logits_train", relative);
}

async function checkImageGradients(gpu: Gpu, golden: Golden<DiscriminatorJson>): Promise<void> {
  const { dino_weights, f32_vs_f64, g_loss_train } = golden.json;
  using vit = await DinoVit.load(gpu, generatedSource(dino_weights));
  const image = (await golden.image(gpu, "image64")).requireGrad();
  const w = fromArray(gpu, await golden.file.floats("w"), golden.file.info("w").shape);
  const gradientOf = async (objective: (logits: Tensor) => Tensor) => {
    using model = await loadDiscriminator(golden, vit);
    const loss = objective(model.forward(image));
    const value = loss.item();
    const [gradient] = gradients(loss, [image]);
    return { value: await value, gradient: await gradient.readF32() };
  };
  const generator = await gradientOf((logits) => neg(mean(logits)));
  assertClose([generator.value], [g_loss_train], { relative: 1e-4 });
  await golden.assertImage(
    generator.gradient,
    "grad_image_of_minus_mean_logits_train",
    tolerance(1e-4, f32_vs_f64.grad_minus_mean[0]),
  );
  const weighted = await gradientOf((logits) => sum(mul(logits, w)));
  await golden.assertImage(
    weighted.gradient,
    "grad_image_of_sum_logits_w_train",
    tolerance(1e-4, f32_vs_f64.grad_sum_logits_w[0]),
  );
}

/** The discriminator of the golden `dino_disc`. */
export async function loadDiscriminator(
  golden: Golden<DiscriminatorJson>,
  vit: DinoVit,
): Promise<DinoDiscriminator> {
  const model = new DinoDiscriminator(vit);
  await model.load(withVectors(golden, golden.json.head_weights));
  return model;
}

/** The generated weights, and beside them the stored vectors of the spectral norms. */
function withVectors(golden: Golden<unknown>, weights: GeneratedWeight[]): WeightSource {
  const generated = generatedSource(weights);
  return {
    ...generated,
    floats: (name, shape) =>
      generated.has(name) ? generated.floats(name, shape) : golden.file.floats(`init.${name}`),
  };
}

async function compare(
  golden: Golden<unknown>,
  actual: Float32Array,
  name: string,
  relative = 1e-4,
): Promise<void> {
  assertClose(actual, await golden.file.floats(name), { relative, name });
}

/** The length of a gradient. */
export function normOf(values: Float32Array): number {
  return Math.sqrt(values.reduce((total, value) => total + value * value, 0));
}
