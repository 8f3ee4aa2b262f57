import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { prefixed } from "../../src/checkpoint/mod.ts";
import type { Gpu } from "../../src/gpu/mod.ts";
import { injectLora, Parameters, weightsOf } from "../../src/nn/mod.ts";
import { abs, add, affine, mean, square, sub } from "../../src/ops/mod.ts";
import { CodaQuantizer } from "../../src/quantizer/mod.ts";
import {
  fromArray,
  gradients,
  Random,
  type Tensor,
  withHalfActivations,
} from "../../src/tensor/mod.ts";
import {
  AdamW,
  Adaptation,
  type AdaptedModel,
  clipCoefficient,
  cosineRate,
  defaultRecipe,
  emaRatio,
  type StepReport,
} from "../../src/train/mod.ts";
import { assertClose } from "../support/compare.ts";
import { gpuTest } from "../support/gpu.ts";
import { digestOf, generate, generatedVae, type GeneratedWeight } from "./generated.ts";
import { Golden } from "./golden.ts";

interface Row {
  loss: number;
  l1: number;
  l2: number;
  vq: number;
  entropy: number;
  lr: number;
  min_margin: number;
  loss_f64: number;
  grad_norm_total_before_clip: number;
}

interface ParityJson {
  quantizer: string;
  lora_weights: GeneratedWeight[];
  adamw_unit: { steps: number; clip: number; grad_norms: number[] };
}

interface Vector extends Omit<GeneratedWeight, "name" | "shape"> {
  n: number;
  sha256_of_f32_le_bytes: string;
}

/**
 * What first gradients may differ by, ‖a−b‖/‖b‖, where activations are kept in f16, each value off by up
 * to 4.9e-4 of itself: the largest is 4.3e-4, and 1.2e-4 in f32.
 */
const HALF_ACTIVATIONS = { relative: 1e-3, inHalf: true };

/** A run of the golden. */
interface ParityRun {
  name: string;
  rows: readonly Row[];
}

/** Between codes closer than this in any token, rounding may choose: it parts two honest runs. */
const NARROW_MARGIN = 1e-4;
/** Where the golden's own float32 loss has left its float64 one by this much, relative, it drifts. */
const OWN_DRIFT = 1e-6;
/** How many steps beyond those that must be followed are looked at. */
const BEYOND = 3;

/** The runs in the golden: what has rows. */
function runsOf(goldens: string): ParityRun[] {
  const json: Record<string, { rows?: Row[] }> = JSON.parse(
    Deno.readTextFileSync(join(goldens, "train_parity.json")),
  );
  const runs = Object.entries(json).flatMap(([name, { rows }]) => rows ? [{ name, rows }] : []);
  assert(runs.length > 0, "train_parity.json has no run");
  return runs;
}

/** The last step up to which an honest float32 run must have the golden's codes. */
function lastStrict(rows: readonly Row[]): number {
  const first = rows.findIndex(({ min_margin, loss, loss_f64 }) =>
    min_margin < NARROW_MARGIN || Math.abs(loss - loss_f64) > OWN_DRIFT * Math.abs(loss_f64)
  );
  return first < 0 ? rows.length - 1 : first - 1;
}

/** Generated weights, schedules, AdamW and whole steps of the adaptation against the official code's. */
export function training(goldens: string): void {
  generatedWeights(goldens);
  schedules(goldens);
  adamw(goldens);
  gpuTest("train_parity: the first gradients equal the official ones", async (gpu) => {
    await withModel(gpu, goldens, compareFirstGradients);
  });
  gpuTest("train_parity: with activations in f16 the first gradients are near", async (gpu) => {
    await withModel(
      gpu,
      goldens,
      (golden, model) => compareFirstGradients(golden, model, HALF_ACTIVATIONS),
    );
  });
  for (const run of runsOf(goldens)) {
    gpuTest(`train_parity ${run.name}: each step's loss equals the official one`, async (gpu) => {
      await withModel(gpu, goldens, (golden, model) => compareRun(golden, model, run));
    });
  }
}

function generatedWeights(goldens: string): void {
  Deno.test("generated weights: check vectors and digests", async () => {
    const read = (name: string) => JSON.parse(Deno.readTextFileSync(join(goldens, name)));
    for (
      const { n, sha256_of_f32_le_bytes, ...rest } of read("fill_check.json").vectors as Vector[]
    ) {
      const digest = await crypto.subtle.digest("SHA-256", generate({ shape: [n], ...rest }));
      assertEquals(new Uint8Array(digest).toHex(), sha256_of_f32_le_bytes);
    }
    const { lora_weights, lora_weights_sha256 } = read("train_parity.json");
    assertEquals(await digestOf(lora_weights), lora_weights_sha256);
  });
}

function schedules(goldens: string): void {
  Deno.test("schedules: learning rate and average equal the official ones", () => {
    const { cosine, ema_ratio } = JSON.parse(
      Deno.readTextFileSync(join(goldens, "schedules.json")),
    );
    const total = cosine.s.at(-1);
    for (const [i, s] of cosine.s.entries()) {
      assertAlmostEquals(cosineRate(1, s, total), cosine.factor[i], 1e-12);
    }
    for (const [i, s] of ema_ratio.s.entries()) {
      assertAlmostEquals(emaRatio(s, 1, { copyUntil: 0 }), ema_ratio.ratio[i], 1e-12);
    }
  });
}

function adamw(goldens: string): void {
  gpuTest("adamw: every step equals the official one", async (gpu) => {
    using golden = await Golden.open<ParityJson>(goldens, "train_parity");
    const { file, json: { adamw_unit: { steps, clip, grad_norms } } } = golden;
    const [size] = file.info("adamw.p0").shape;
    const grads = await file.floats("adamw.grads", [steps, size]);
    const expected = await file.floats("adamw.p_after_each_step", [steps, size]);
    using parameters = new Parameters(gpu);
    parameters.declare("p", [size]);
    parameters.set("p", await file.floats("adamw.p0"));
    using optimizer = new AdamW(parameters);
    for (let s = 0; s < steps; s++) {
      const row = (values: Float32Array) => values.slice(s * size, (s + 1) * size);
      const norm = clippedStep(optimizer, row(grads), clip, cosineRate(5e-4, s, steps));
      assertClose([await norm], [grad_norms[s]], { relative: 1e-6, name: `norm ${s}` });
      const [{ data }] = await parameters.weights();
      assertClose(data, row(expected), { relative: 1e-6, name: `after step ${s + 1}` });
    }
  });
}

function clippedStep(optimizer: AdamW, grads: Float32Array, clip: number, lr: number) {
  const { gpu } = optimizer.parameters;
  using _scope = gpu.scope();
  const given = [fromArray(gpu, grads, [grads.length])];
  const { norm, coefficient } = clipCoefficient(given, clip);
  optimizer.step(given, { lr, coefficient });
  return norm.item();
}

/** Builds the golden's model, lends it and its batch, and frees it. */
async function withModel(
  gpu: Gpu,
  goldens: string,
  use: (golden: Golden<ParityJson>, model: AdaptedModel) => Promise<void>,
): Promise<void> {
  using golden = await Golden.open<ParityJson>(goldens, "train_parity");
  const { json, file } = golden;
  const { weights } = JSON.parse(await Deno.readTextFile(join(goldens, "vae_mar_tiny.json")));
  using vae = await generatedVae(gpu, weights);
  const [rank] = json.lora_weights[0].shape;
  const targets = ["conv1", "conv2", "upsample", "downsample"];
  const lora = injectLora(vae.convs, { rank, targets });
  using parameters = lora.parameters;
  parameters.initialize(new Random(0)); // up is zero; down is replaced
  for (const weight of json.lora_weights) parameters.set(weight.name, generate(weight));
  const [codebookSize, channels] = file.info("quantizer_init.codebooks.weight").shape;
  const patches = json.quantizer.match(/scales \[([\d, ]+)\]/)![1];
  using quantizer = await CodaQuantizer.load(gpu, {
    codebookSize,
    channels,
    attentionDim: file.info("quantizer_init.attn.to_q.bias").shape[0],
    patchSizes: patches.split(",").map(Number),
    norm: "rms",
    beta: Number(json.quantizer.match(/beta ([\d.]+)/)![1]),
  }, prefixed(file, "quantizer_init."));
  await use(golden, { vae, lora, quantizer });
}

async function compareFirstGradients(
  golden: Golden<ParityJson>,
  { vae, lora, quantizer }: AdaptedModel,
  { relative, inHalf } = { relative: 1e-3, inHalf: false },
): Promise<void> {
  const { gpu } = vae.parameters;
  const parameters = [...quantizer.parameters, ...lora.parameters];
  for (const { tensor } of parameters) tensor.requireGrad();
  using batch = await golden.image(gpu, "batch");
  const pending = (() => {
    using _scope = gpu.scope();
    const loss = withHalfActivations(() => lossOf({ vae, lora, quantizer }, batch), inHalf);
    const found = gradients(loss, parameters.map(({ tensor }) => tensor));
    return parameters.map((parameter, i) => weightsOf({ ...parameter, tensor: found[i] }));
  })();
  let compared = 0;
  for (const { name, data } of await Promise.all(pending)) {
    const stored = golden.file.names.find((key) => key.endsWith(`first_grad.${name}`));
    if (!stored) continue;
    const expected = await golden.file.floats(stored);
    assertClose(data, expected, { relative, floor: 1e-9, name: stored });
    compared++;
  }
  assertEquals(compared, golden.file.names.filter((key) => key.includes("first_grad")).length);
}

/** The golden's loss, written out. */
function lossOf({ vae, quantizer }: AdaptedModel, batch: Tensor): Tensor {
  const { fHat, vqLoss, entropyLoss } = quantizer.forward(vae.scaleLatent(vae.encode(batch).mean));
  const difference = sub(vae.decode(vae.unscaleLatent(fHat)), batch);
  const pixels = add(affine(mean(abs(difference)), 0.2, 0), mean(square(difference)));
  return add(pixels, add(vqLoss, affine(entropyLoss, 0.05, 0)));
}

async function compareRun(
  golden: Golden<ParityJson>,
  model: AdaptedModel,
  { name, rows }: ParityRun,
): Promise<void> {
  const total = rows.length - 1;
  const strict = lastStrict(rows);
  const steps = Math.min(total, strict + BEYOND);
  const [{ lr }] = rows; // of step 0, where the cosine is 1
  const indices = await officialIndices(golden, name);
  using adaptation = new Adaptation(model, { ...defaultRecipe(total), lr, samplePosterior: false });
  using batch = await golden.image(model.vae.parameters.gpu, "batch");
  let parted = false;
  let last = Infinity;
  for (let step = 0; step < steps; step++) {
    assertAlmostEquals(adaptation.lr, rows[step].lr, 1e-12);
    const result = adaptation.jointStep(batch);
    const read = result.read();
    result[Symbol.dispose]();
    const report = await read;
    parted ||= byImage(report, batch.shape[0]).some((code, i) => code !== indices[step][i]);
    assert(!parted || step > strict, `step ${step}: a code differs from the official one`);
    if (!parted) compareStep(report, rows[step], `${name} step ${step}`);
    last = report.numbers.total;
    if (step === 0) await compareParameters(golden, adaptation, `${name}.`, "after_step1", 1e-4);
  }
  assert(last < rows[0].loss, `the loss did not fall: ${last}`);
  if (!parted && steps === total) {
    await compareParameters(golden, adaptation, `${name}.`, "final", 1e-3);
  }
}

function compareStep({ numbers }: StepReport, row: Row, name: string): void {
  const expected = [row.loss, row.l1, row.l2, row.vq, row.entropy];
  const { total, l1, l2, vq, entropy, gradNorm } = numbers;
  for (const [i, found] of [total, l1!, l2!, vq, entropy].entries()) {
    assertClose([found], [expected[i]], { relative: 1e-4, name: `${name}, loss ${i}` });
  }
  assertClose([gradNorm], [row.grad_norm_total_before_clip], {
    relative: 1e-3,
    name: `${name}, gradient norm`,
  });
}

/** indices_per_step as one list a step. */
async function officialIndices({ file }: Golden<ParityJson>, name: string): Promise<number[][]> {
  const { shape: [steps], data } = await file.tensor(`${name}.indices_per_step`);
  const each = data.length / steps;
  return Array.from(
    { length: steps },
    (_, s) => Array.from({ length: each }, (_, i) => Number(data[s * each + i])),
  );
}

/** A report's codes in the golden's order: image by image, in each scale by scale. */
function byImage({ indices }: StepReport, batch: number): number[] {
  return Array.from({ length: batch }, (_, b) =>
    indices.flatMap((scale) => {
      const tokens = scale.length / batch;
      return [...scale.subarray(b * tokens, (b + 1) * tokens)];
    })).flat();
}

async function compareParameters(
  { file }: Golden<ParityJson>,
  { sets }: Adaptation,
  run: string,
  when: string,
  relative: number,
): Promise<void> {
  for (const { name: set, parameters } of sets) {
    const prefix = `${run}${set}_${when}.`;
    const found = new Map((await parameters.weights()).map(({ name, data }) => [name, data]));
    const names = file.names.filter((name) => name.startsWith(prefix));
    assert(names.length > 0, `the golden has no ${prefix}`);
    for (const stored of names) {
      const data = found.get(stored.slice(prefix.length));
      assert(data, `there is no parameter for ${stored}`);
      assertClose(data, await file.floats(stored), { relative, floor: 1e-9, name: stored });
    }
  }
}
