import type { Gpu } from "../../src/gpu/mod.ts";
import { DinoVit, generatorLoss } from "../../src/losses/mod.ts";
import { Parameters, weightsOf } from "../../src/nn/mod.ts";
import { add, affine, conv2d, mean, mul, neg, tanh } from "../../src/ops/mod.ts";
import { fromArray, gradients, type Tensor } from "../../src/tensor/mod.ts";
import { Criterion } from "../../src/train/criterion.ts";
import { adaptiveWeight } from "../../src/train/adaptive_weight.ts";
import { defaultRecipe } from "../../src/train/mod.ts";
import { reconstructionLosses } from "../../src/losses/mod.ts";
import { assertClose } from "../support/compare.ts";
import { gpuTest } from "../support/gpu.ts";
import { type DiscriminatorJson, loadDiscriminator, normOf } from "./discriminator_heads.ts";
import { generatedSource } from "./generated.ts";
import { Golden, tolerance } from "./golden.ts";
import { loadLpips, type LpipsJson } from "./lpips.ts";

interface CriterionJson {
  definition: string;
  loss_g: number;
  d_weight: number;
  log_g: { perceptual_loss: number; nll_loss: number; g_loss: number };
  loss_d: number;
  log_d: { acc_real: number; acc_fake: number };
  head_grad_norms_from_loss_d_alone: Record<string, number>;
  head_grad_norms_left_by_generator_backward: Record<string, number>;
  head_grad_total_norm_loss_d_alone: number;
  head_grad_total_norm_left_by_generator: number;
}

interface ToyJson {
  adaptive_weight: {
    nll: number;
    g_loss: number;
    nll_grad_norm: number;
    g_grad_norm: number;
    d_weight: number;
  };
}

/** What the criterion is built of: its own golden, and those whose weights it shares. */
interface Parts {
  readonly gpu: Gpu;
  readonly golden: Golden<CriterionJson>;
  readonly dino: Golden<DiscriminatorJson>;
  readonly lpips: Golden<LpipsJson>;
  readonly vit: DinoVit;
}

/** A reconstruction `base + conv2d(h, weight)`, and what it is made of. */
interface Toy {
  readonly found: Tensor;
  readonly target: Tensor;
  readonly weights: Parameters;
  readonly weight: Tensor;
}

/** The criterion's two passes and its adaptive weight against the official code's. */
export function criterion(goldens: string): void {
  gpuTest("losses_scalar: the adaptive weight equals the official one", async (gpu) => {
    using golden = await Golden.open<ToyJson>(goldens, "losses_scalar");
    await checkAdaptiveWeight(gpu, golden);
  });
  gpuTest(
    "criterion: losses, adaptive weight and gradients equal the official ones",
    async (gpu) => {
      using golden = await Golden.open<CriterionJson>(goldens, "criterion");
      using dino = await Golden.open<DiscriminatorJson>(goldens, "dino_disc");
      using lpips = await Golden.open<LpipsJson>(goldens, "lpips");
      using vit = await DinoVit.load(gpu, generatedSource(dino.json.dino_weights));
      const noisy = tolerance(1e-4, dino.json.f32_vs_f64.grad_minus_mean[0]);
      const parts = { gpu, golden, dino, lpips, vit, noisy };
      await checkPasses(parts);
      await checkLeftOver(parts);
    },
  );
}

async function checkAdaptiveWeight(gpu: Gpu, golden: Golden<ToyJson>): Promise<void> {
  const { nll, g_loss, nll_grad_norm, g_grad_norm, d_weight } = golden.json.adaptive_weight;
  const { found, target, weights, weight } = await toy(gpu, golden, "aw.");
  using _weights = weights;
  const leaf = fromArray(gpu, await found.readF32(), found.shape).requireGrad();
  const { l1, l2 } = reconstructionLosses(leaf, target);
  const cg = await golden.image(gpu, "aw.cg");
  const objectives = [add(affine(l1, 0.2, 0), l2), neg(mean(tanh(mul(leaf, cg))))];
  const values = await Promise.all(objectives.map((loss) => loss.item()));
  assertClose(values, [nll, g_loss], { relative: 1e-6 });
  const seeds = objectives.map((loss) => gradients(loss, [leaf])[0]);
  const factor = adaptiveWeight(found, weight, { pixels: seeds[0], adversarial: seeds[1] });
  const norms = seeds.map((seed) => gradients(found, [weight], { seed, retain: true })[0]);
  const read = await Promise.all(norms.map((norm) => norm.readF32()));
  assertClose(read.map(normOf), [nll_grad_norm, g_grad_norm], { relative: 1e-5 });
  assertClose([await factor.item()], [d_weight], { relative: 1e-5 });
}

async function checkPasses({ gpu, golden, dino, lpips, vit }: Parts): Promise<void> {
  const { json } = golden;
  using perceptual = await loadLpips(gpu, lpips);
  using discriminator = await loadDiscriminator(dino, vit);
  for (const { tensor } of discriminator.parameters) tensor.requireGrad();
  const criterion = new Criterion({ perceptual, discriminator }, defaultRecipe(1));
  const { found, target, weights, weight } = await toy(gpu, golden);
  using _weights = weights;
  const ramp = fromArray(gpu, [rampOf(json)], []);
  const pass = criterion.generator(found, target, { lastLayer: weight, ramp });
  const { lpips: distance, g, adaptiveWeight } = pass.scalars;
  const [loss, perceived, generated] = await items(pass.total, distance, g);
  const { perceptual_loss, g_loss } = json.log_g;
  assertClose([perceived], [perceptual_loss], { relative: 1e-4, name: "LPIPS" });
  assertClose([generated], [g_loss], { relative: 1e-4, name: "g" });
  const [factor] = await items(adaptiveWeight);
  assertClose([factor], [json.d_weight], { relative: 1e-4, name: "adaptive weight" });
  assertClose([loss], [json.loss_g], { relative: 1e-4, name: "generator's loss" });
  const [ofWeight] = gradients(found, [weight], { seed: pass.cotangent, retain: true });
  const [parameter] = weights;
  const { data } = await weightsOf({ ...parameter, tensor: ofWeight });
  const name = "grad_weight_total";
  // The discriminator's gradient passes leaky ReLUs, which rounding switches: the golden's own shows by how much.
  const relative = tolerance(1e-4, dino.json.f32_vs_f64.grad_minus_mean[0]);
  assertClose(data, await golden.file.floats(name), { relative, name });

  const second = criterion.discriminator(found, target);
  const { d, accReal, accFake } = second.scalars;
  const [lossD, real, fake] = await items(d, accReal, accFake);
  assertClose([lossD], [json.loss_d], { relative: 1e-4, name: "discriminator's loss" });
  const { acc_real, acc_fake } = json.log_d;
  assertClose([100 * real, 100 * fake], [acc_real, acc_fake], { relative: 1e-6, name: "accuracy" });
  await compareNorms(
    dino,
    discriminator.parameters,
    second.gradients,
    json.head_grad_norms_from_loss_d_alone,
    json.head_grad_total_norm_loss_d_alone,
  );
}

/** What the official generator pass leaves in the heads, and ours does not: the gradient of its own loss. */
async function checkLeftOver({ gpu, golden, dino, vit }: Parts): Promise<void> {
  const { json } = golden;
  using discriminator = await loadDiscriminator(dino, vit);
  for (const { tensor } of discriminator.parameters) tensor.requireGrad();
  const { found, weights } = await toy(gpu, golden);
  using _weights = weights;
  const g = generatorLoss(discriminator.forward(found));
  const wanted = [...discriminator.parameters].map(({ tensor }) => tensor);
  await compareNorms(
    dino,
    discriminator.parameters,
    gradients(affine(g, rampOf(json) * json.d_weight, 0), wanted),
    json.head_grad_norms_left_by_generator_backward,
    json.head_grad_total_norm_left_by_generator,
  );
}

async function compareNorms(
  { json: { f32_vs_f64 } }: Golden<DiscriminatorJson>,
  parameters: Parameters,
  found: readonly Tensor[],
  expected: Record<string, number>,
  total: number,
): Promise<void> {
  const norms = (await Promise.all(found.map((gradient) => gradient.readF32()))).map(normOf);
  const relative = tolerance(1e-4, f32_vs_f64.grad_sum_logits_w[0]);
  for (const [i, { name }] of [...parameters].entries()) {
    // A bias before a batch norm has none in exact arithmetic; what rounding leaves is nobody's number.
    const isZero = /\.0\.bias$/.test(name) && !/\.2\.bias$/.test(name);
    const options = isZero ? { relative: 1, absolute: 1e-6, floor: 1e-6 } : { relative };
    assertClose([norms[i]], [expected[name]], { ...options, name });
  }
  assertClose([normOf(Float32Array.from(norms))], [total], { relative: 1e-4, name: "all" });
}

async function toy<Json>(gpu: Gpu, golden: Golden<Json>, prefix = ""): Promise<Toy> {
  const { file } = golden;
  const weights = new Parameters(gpu);
  const { shape } = file.info(`${prefix}weight`);
  const weight = weights.declare("weight", shape, { layout: "conv2d" });
  weights.set("weight", await file.floats(`${prefix}weight`));
  weight.requireGrad();
  const [h, target] = [
    await golden.image(gpu, `${prefix}h`),
    await golden.image(gpu, `${prefix}target`),
  ];
  const conv = conv2d(h, weight, undefined, { padding: 1 });
  const hasBase = file.has(`${prefix}base`);
  const found = hasBase ? add(conv, await golden.image(gpu, `${prefix}base`)) : conv;
  return { found, target, weights, weight };
}

function rampOf({ definition }: CriterionJson): number {
  return Number(definition.match(/warmup_disc_schedule ([\d.]+)/)![1]);
}

function items(...tensors: Tensor[]): Promise<number[]> {
  return Promise.all(tensors.map((tensor) => tensor.item()));
}
