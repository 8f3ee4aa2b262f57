import { assert, assertEquals } from "@std/assert";
import type { Gpu } from "../../src/gpu/mod.ts";
import { CodaQuantizer, quantizerConfigFromJson } from "../../src/quantizer/mod.ts";
import { withPath } from "../../src/quantizer/path.ts";
import { add, affine, mul, sum } from "../../src/ops/mod.ts";
import { fromArray, gradients, type Tensor } from "../../src/tensor/mod.ts";
import { weightsOf } from "../../src/nn/mod.ts";
import { assertClose } from "../support/compare.ts";
import { gpuTest } from "../support/gpu.ts";
import { Golden, tolerance } from "./golden.ts";

interface QuantizerJson extends Record<string, unknown> {
  patch_size_list: number[];
  vq_loss: number;
  vq_loss_f64: number;
  entropy_loss: number;
  entropy_loss_f64: number;
  f_hat_relL2_and_maxabs_f32_vs_f64: [number, number];
  grad_rel_l2_maxabs_f32_vs_f64: Record<string, [number, number, number]>;
}

/** Two best logits nearer than this may be told apart either way. */
const MARGIN = 1e-4;

type Losses = { fHat: Tensor; vqLoss: Tensor; entropyLoss: Tensor };

/** What the golden's gradients are of, by the prefix of their names. */
const OBJECTIVES: Record<string, (losses: Losses, w: Tensor) => Tensor> = {
  all: ({ fHat, vqLoss, entropyLoss }, w) =>
    add(add(sum(mul(fHat, w)), vqLoss), affine(entropyLoss, 0.05, 0)),
  fhat: ({ fHat }, w) => sum(mul(fHat, w)),
  vq: ({ vqLoss }) => vqLoss,
  entropy: ({ entropyLoss }) => entropyLoss,
};

/** The quantizer's codes, latent, losses and gradients against the official code's. */
export function quantizer(goldens: string): void {
  const names = [...Deno.readDirSync(goldens)].map(({ name }) => name)
    .filter((name) => /^quantizer_.*\.json$/.test(name)).map((name) => name.slice(0, -5)).sort();
  for (const name of names) {
    for (const path of ["composed", "streamed"] as const) {
      gpuTest(
        `${name}, ${path}: codes, latent, losses and gradients equal the official ones`,
        async (gpu) => await withPath(path, () => compare(gpu, goldens, name)),
      );
    }
  }
}

async function compare(gpu: Gpu, goldens: string, name: string): Promise<void> {
  using golden = await Golden.open<QuantizerJson>(goldens, name);
  const config = quantizerConfigFromJson(golden.json, name);
  assert(config.kind === undefined, `${name} is of kind ${config.kind}`);
  using model = await CodaQuantizer.load(gpu, config, golden.file);
  using input = await golden.image(gpu, "input");
  await compareDecode(golden, model, input.shape);
  if (!await codesAgree(golden, model, input)) return; // a near tie parts what follows it
  await compareMargins(golden, model, input);
  await compareForward(golden, model, input);
  for (const objective of Object.keys(OBJECTIVES)) {
    if (golden.file.names.some((tensor) => tensor.startsWith(`grad_${objective}.`))) {
      await compareGradients(golden, model, input, objective);
    }
  }
}

/** The latent of the official codes, which holds whatever codes are found here. */
async function compareDecode(
  golden: Golden<QuantizerJson>,
  model: CodaQuantizer,
  [batch, height, width]: readonly number[],
): Promise<void> {
  const { json, file } = golden;
  const indices: Uint32Array[] = [];
  for (const patch of json.patch_size_list) {
    indices.push(Uint32Array.from((await file.tensor(`idx.${patch}`)).data, Number));
  }
  const { gpu } = model.parameters;
  const pending = (() => {
    using _scope = gpu.scope();
    const grids = model.gridsFor(height, width);
    const tensors = indices.map((values, i) =>
      fromArray(gpu, values, [batch, grids[i].height, grids[i].width])
    );
    return model.decode(tensors, { height, width }).readF32();
  })();
  const within = tolerance(1e-4, json.f_hat_relL2_and_maxabs_f32_vs_f64[0]);
  await golden.assertImage(await pending, "f_hat", within);
}

/** Whether all codes agree; where one does not, its two best logits must be a near tie. */
async function codesAgree(
  { json, file }: Golden<QuantizerJson>,
  model: CodaQuantizer,
  input: Tensor,
): Promise<boolean> {
  using scope = input.gpu.scope();
  const [fromEncode, fromForward] = [model.encode(input), model.forward(input).indices];
  const scales = await Promise.all([...fromEncode, ...fromForward].map((index) => index.readU32()));
  scope.keep(input);
  for (const [i, patch] of json.patch_size_list.entries()) {
    const expected = (await file.tensor(`idx.${patch}`)).data;
    const margins = await file.floats(`margin.${patch}`);
    for (const codes of [scales[i], scales[i + json.patch_size_list.length]]) {
      assertEquals(codes.length, expected.length);
      const flips = [...codes.keys()].filter((t) => codes[t] !== Number(expected[t]));
      const worst = Math.max(0, ...flips.map((t) => margins[t]));
      assert(worst < MARGIN, `scale ${patch}: a code differs at a margin of ${worst}`);
      if (flips.length > 0) return false;
    }
  }
  return true;
}

/** By how much each code was chosen, where all codes agree. */
async function compareMargins(
  { json, file }: Golden<QuantizerJson>,
  model: CodaQuantizer,
  input: Tensor,
): Promise<void> {
  const found = await Promise.all(readMargins(model, input));
  for (const [i, patch] of json.patch_size_list.entries()) {
    const name = `margin.${patch}`;
    assertClose(found[i], await file.floats(name), { relative: 1e-4, name });
  }
}

function readMargins(model: CodaQuantizer, input: Tensor): Promise<Float32Array>[] {
  using _scope = input.gpu.scope();
  return model.encodeWithMargins(input).map(({ margin }) => margin.readF32());
}

async function compareForward(
  golden: Golden<QuantizerJson>,
  model: CodaQuantizer,
  input: Tensor,
): Promise<void> {
  const { json } = golden;
  const read = readForward(model, input);
  const [fHat, decoded, vqLoss, entropyLoss] = await Promise.all(read);
  const within = tolerance(1e-4, json.f_hat_relL2_and_maxabs_f32_vs_f64[0]);
  await golden.assertImage(fHat, "f_hat", within);
  await golden.assertImage(decoded, "f_hat", within);
  compareLoss("vq_loss", vqLoss[0], json.vq_loss, json.vq_loss_f64);
  compareLoss("entropy_loss", entropyLoss[0], json.entropy_loss, json.entropy_loss_f64);
}

function readForward(model: CodaQuantizer, input: Tensor): Promise<Float32Array>[] {
  using _scope = input.gpu.scope();
  const [, height, width] = input.shape;
  const { fHat, vqLoss, entropyLoss, indices } = model.forward(input);
  const decoded = model.decode(indices, { height, width });
  return [fHat, decoded, vqLoss, entropyLoss].map((tensor) => tensor.readF32());
}

function compareLoss(name: string, actual: number, expected: number, float64: number): void {
  const relative = tolerance(1e-4, Math.abs(expected - float64) / Math.abs(float64));
  assertClose([actual], [expected], { relative, name });
}

async function compareGradients(
  golden: Golden<QuantizerJson>,
  model: CodaQuantizer,
  input: Tensor,
  objective: string,
): Promise<void> {
  const w = await golden.image(input.gpu, "W");
  const found = await readGradients(model, input, w, objective);
  w.dispose();
  const own = golden.json.grad_rel_l2_maxabs_f32_vs_f64;
  for (const [name, values] of found) {
    const stored = `grad_${objective}.${name}`;
    const [noise] = own[`${objective}.${name}`] ?? [0];
    if (noise > 0.1) { // zero in exact arithmetic: both sides hold rounding alone
      assertClose(values, new Float32Array(values.length), {
        relative: Infinity,
        absolute: 1e-5,
        name: stored,
      });
    } else if (name === "input") {
      await golden.assertImage(values, stored, tolerance(1e-3, noise));
    } else {
      const expected = await storedRows(golden, stored, values);
      assertClose(expected.actual, expected.stored, {
        relative: tolerance(1e-3, noise),
        name: stored,
      });
    }
  }
}

async function readGradients(
  model: CodaQuantizer,
  input: Tensor,
  w: Tensor,
  objective: string,
): Promise<[string, Float32Array][]> {
  const parameters = [...model.parameters];
  input.requireGrad();
  parameters.forEach(({ tensor }) => tensor.requireGrad());
  const pending = (() => {
    using _scope = input.gpu.scope();
    const value = OBJECTIVES[objective](model.forward(input), w);
    const found = gradients(value, [input, ...parameters.map(({ tensor }) => tensor)]);
    return [
      found[0].readF32().then((data): [string, Float32Array] => ["input", data]),
      ...parameters.map(async (parameter, i): Promise<[string, Float32Array]> => {
        const { data } = await weightsOf({ ...parameter, tensor: found[i + 1] });
        return [parameter.name, data];
      }),
    ];
  })();
  return await Promise.all(pending);
}

/** A stored gradient, or the rows of it that the golden keeps, beside the same rows of ours. */
async function storedRows({ file }: Golden<QuantizerJson>, name: string, values: Float32Array) {
  if (file.has(name)) return { actual: values, stored: await file.floats(name) };
  const rows = file.names.find((stored) => stored.startsWith(`${name}.rows_0_`));
  assert(rows, `the golden has no ${name}`);
  const step = Number(rows.match(/rows_0_(\d+)/)![1]);
  const columns = file.info(rows).shape[1];
  const actual = values.filter((_, i) => Math.floor(i / columns) % step === 0);
  return { actual, stored: await file.floats(rows) };
}
