/**
 * The streamed quantizer against the composed one, for one token and for thousands and with every norm,
 * from codebooks of a few codes to those whose matrix of logits is too large for a test:
 * `deno run -A bench/quantizer_sweep.ts` prints a table in Markdown, and exits with 1 where a code
 * differs, a value by more than 1e-4 or a gradient by more than 1e-3. Where all tokens' logits exceed an
 * adapter's largest binding, the composed version runs on pieces of the tokens. What belongs to a token
 * is then joined and what is a sum over tokens is added up; of the entropies, only that of the mean
 * assignment p̄ needs all tokens: it is taken on the host in float64, from the mean of the pieces' p̄.
 *
 * @module
 */
import type { Gpu } from "../src/gpu/mod.ts";
import {
  add,
  affine,
  exp,
  layerNorm,
  logSoftmax,
  matmul,
  mean,
  mul,
  reshape,
  rmsNorm,
  sub,
  sum,
} from "../src/ops/mod.ts";
import { CodaQuantizer, type QuantizerNorm } from "../src/quantizer/mod.ts";
import { EPSILON, TEMPERATURE } from "../src/quantizer/entropy_loss.ts";
import { type Path, withPath } from "../src/quantizer/path.ts";
import { fromArray, gradients, Random, type Tensor } from "../src/tensor/mod.ts";
import { benchGpu } from "./support.ts";

const CHANNELS = 16;
const ATTENTION_DIM = 32;
/** The side of the only grid of images whose tokens are many, and of the image that is one token. */
const SIDES = { many: 5, one: 1 };
/** A piece's logits stay below 128 MiB, the largest binding of common adapters. */
const MANY = [
  { codebookSize: 7, tokens: 2000, piece: 2000 },
  { codebookSize: 512, tokens: 2000, piece: 2000 },
  { codebookSize: 1000, tokens: 2000, piece: 2000 },
  { codebookSize: 16384, tokens: 1900, piece: 1900 },
  { codebookSize: 65536, tokens: 2000, piece: 500 },
];
const CASES = MANY.flatMap((many) => [{ ...many, tokens: 1, piece: 1 }, many]);
const NORMS: QuantizerNorm[] = ["rms", "layer", "none"];
const LIMITS = { value: 1e-4, gradient: 1e-3 };

type Objective = "latent" | "entropy";

/** Tokens, whole images of them, and what their f̂ is multiplied by in the objective. */
interface Tokens {
  readonly count: number;
  readonly f: Float32Array;
  readonly weights: Float32Array;
}

/** What a pass found; the gradients are those of the input and then of the parameters, as declared. */
interface Found {
  readonly codes: Uint32Array;
  readonly encoded: Uint32Array;
  readonly fHat: Float32Array;
  readonly vqLoss: number;
  readonly entropyLoss: number;
  readonly gradients: readonly Float32Array[];
}

type EntropyFound = Pick<Found, "entropyLoss" | "gradients">;

function makeTokens(count: number): Tokens {
  const values = (seed: number) => {
    const random = new Random(seed);
    return Float32Array.from({ length: count * CHANNELS }, () => random.normal());
  };
  return { count, f: values(2), weights: values(3) };
}

function cut({ count, f, weights }: Tokens, piece: number): Tokens[] {
  return Array.from({ length: Math.ceil(count / piece) }, (_, i) => {
    const range = [i * piece * CHANNELS, (i + 1) * piece * CHANNELS] as const;
    const part = f.subarray(...range);
    return { count: part.length / CHANNELS, f: part, weights: weights.subarray(...range) };
  });
}

function sideOf(count: number): number {
  return count === 1 ? SIDES.one : SIDES.many;
}

/** On the GPU, [images, side, side, c]. */
function images(gpu: Gpu, { count }: Tokens, values: Float32Array): Tensor {
  const side = sideOf(count);
  return fromArray(gpu, values, [count / side ** 2, side, side, CHANNELS]);
}

/** The gradients of what `objective` makes, with respect to the latent f and to the parameters. */
function gradientsOf(
  quantizer: CodaQuantizer,
  f: Tensor,
  objective: () => Tensor,
): Promise<Float32Array[]> {
  const parameters = [...quantizer.parameters].map(({ tensor }) => tensor.requireGrad());
  const found = gradients(objective(), [f, ...parameters]).map((gradient) => gradient.readF32());
  for (const parameter of parameters) parameter.requireGrad(false);
  return Promise.all(found);
}

/** Forward and backward of one objective on one path: Σ w·f̂ + tokens · L_q, or L_e. */
function trained(
  quantizer: CodaQuantizer,
  path: Path,
  tokens: Tokens,
  objective: Objective,
): Promise<Found> {
  const { gpu } = quantizer.parameters;
  return withPath(path, async () => {
    const pending = (() => {
      using _scope = gpu.scope();
      const f = images(gpu, tokens, tokens.f).requireGrad();
      const reads: Promise<Float32Array | Uint32Array>[] = [];
      const found = gradientsOf(quantizer, f, () => {
        const { indices, fHat, vqLoss, entropyLoss } = quantizer.forward(f);
        reads.push(indices[0].readU32(), ...[fHat, vqLoss, entropyLoss].map((t) => t.readF32()));
        const weighted = sum(mul(fHat, images(gpu, tokens, tokens.weights)));
        return objective === "entropy"
          ? entropyLoss
          : add(weighted, affine(vqLoss, tokens.count, 0));
      });
      return { found, reads, encoded: quantizer.encode(f)[0].readU32() };
    })();
    const [codes, fHat, [vqLoss], [entropyLoss]] = await Promise.all(pending.reads);
    return {
      codes: codes as Uint32Array,
      encoded: await pending.encoded,
      fHat: fHat as Float32Array,
      vqLoss,
      entropyLoss,
      gradients: await pending.found,
    };
  });
}

/** One after the other, so that one piece's logits are live at a time. */
async function inTurn<T, R>(all: readonly T[], work: (one: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (const one of all) results.push(await work(one));
  return results;
}

function joined(parts: readonly Float32Array[]): Float32Array {
  return Float32Array.from(parts.flatMap((part) => [...part]));
}

function added(parts: readonly Float32Array[]): Float32Array {
  const total = Float64Array.from(parts[0]);
  for (const part of parts.slice(1)) part.forEach((value, i) => total[i] += value);
  return Float32Array.from(total);
}

/** The input's gradient is each token's own; a parameter's is a sum over tokens. */
function gradientsOfAll(parts: readonly (readonly Float32Array[])[]): Float32Array[] {
  return parts[0].map((_, i) => (i === 0 ? joined : added)(parts.map((part) => part[i])));
}

/** The composed version of the latent objective: codes, f̂, L_q and gradients. */
async function composedLatent(
  quantizer: CodaQuantizer,
  parts: readonly Tokens[],
): Promise<Omit<Found, "entropyLoss">> {
  const found = await inTurn(parts, (part) => trained(quantizer, "composed", part, "latent"));
  const total = parts.reduce((count, part) => count + part.count, 0);
  return {
    codes: Uint32Array.from(found.flatMap(({ codes }) => [...codes])),
    encoded: Uint32Array.from(found.flatMap(({ encoded }) => [...encoded])),
    fHat: joined(found.map(({ fHat }) => fHat)),
    vqLoss: found.reduce((loss, { vqLoss }, i) => loss + vqLoss * parts[i].count, 0) / total,
    gradients: gradientsOfAll(found.map(({ gradients }) => gradients)),
  };
}

/** softmax(l/τ) of a latent's tokens and its logarithm, [tokens, V], by simple operations. */
function assignments(quantizer: CodaQuantizer, f: Tensor): { p: Tensor; logP: Tensor } {
  const parameters = new Map(
    [...quantizer.parameters].map(({ name, tensor }) => [name, tensor]),
  );
  const at = (name: string) => parameters.get(name)!;
  const view = (x: Tensor, name: "q" | "k") => {
    const [weight, norm] = [`attn.to_${name}`, `attn.norm_${name}`];
    const y = matmul(x, at(`${weight}.weight`), { transposeB: true, bias: at(`${weight}.bias`) });
    if (quantizer.config.norm === "none") return y;
    return quantizer.config.norm === "rms"
      ? rmsNorm(y, at(`${norm}.weight`))
      : layerNorm(y, at(`${norm}.weight`), at(`${norm}.bias`));
  };
  const query = affine(
    view(reshape(f, [f.size / CHANNELS, CHANNELS]), "q"),
    1 / Math.sqrt(ATTENTION_DIM),
    0,
  );
  const l = matmul(query, view(at("codebooks.weight"), "k"), { transposeB: true });
  const logP = logSoftmax(affine(l, 1 / TEMPERATURE, 0));
  return { p: exp(logP), logP };
}

/**
 * L_e of all tokens and its gradients from pieces of them. Once p̄ is known, Σ p̄ log(p̄ + ε) has the
 * derivative w = log(p̄ + ε) + p̄/(p̄ + ε), and its gradients are those of mean_t Σ P·w with w constant.
 */
async function piecedEntropy(
  quantizer: CodaQuantizer,
  parts: readonly Tokens[],
): Promise<EntropyFound> {
  const { gpu } = quantizer.parameters;
  const total = parts.reduce((count, part) => count + part.count, 0);
  const sums = await inTurn(parts, (part) => {
    using _scope = gpu.scope();
    const { p, logP } = assignments(quantizer, images(gpu, part, part.f));
    return Promise.all([mean(p, { axes: [0] }), sum(mul(p, logP), { axes: [1] })]
      .map((tensor) => tensor.readF32()));
  });
  const average = new Float64Array(quantizer.config.codebookSize);
  let sample = 0;
  sums.forEach(([share, negative], i) => {
    share.forEach((p, n) => average[n] += p * parts[i].count / total);
    sample = negative.reduce((entropy, value) => entropy - value / total, sample);
  });
  const negativeMean = average.reduce((entropy, p) => entropy + p * Math.log(p + EPSILON), 0);
  const slope = Float32Array.from(average, (p) => Math.log(p + EPSILON) + p / (p + EPSILON));
  const found = await inTurn(parts, (part) => {
    using _scope = gpu.scope();
    const f = images(gpu, part, part.f).requireGrad();
    return gradientsOf(quantizer, f, () => {
      const { p, logP } = assignments(quantizer, f);
      const w = fromArray(gpu, slope, [1, slope.length]);
      return affine(sub(sum(mul(p, w)), sum(mul(p, logP))), 1 / total, 0);
    });
  });
  return { entropyLoss: sample + negativeMean, gradients: gradientsOfAll(found) };
}

/** The least norm that a difference is divided by: what changes no softmax has rounding for a gradient. */
const FLOOR = 1;

/**
 * The larger of ‖a−b‖/‖b‖ and max|a−b|/max|b|, which one wrong element among many cannot escape. The least
 * norm is that of numbers spread over the rows of `tokens` codes: a gradient of one token reaches few.
 */
function difference(a: ArrayLike<number>, b: ArrayLike<number>, tokens: number): number {
  if (a.length !== b.length) return Infinity;
  let [squares, norm, worst, largest] = [0, 0, 0, 0];
  for (let i = 0; i < b.length; i++) {
    const distance = Math.abs(a[i] - b[i]);
    if (!Number.isFinite(distance)) return Infinity;
    squares += distance ** 2;
    norm += b[i] ** 2;
    worst = Math.max(worst, distance);
    largest = Math.max(largest, Math.abs(b[i]));
  }
  const spread = Math.min(b.length, tokens * CHANNELS);
  const overall = Math.sqrt(squares) / Math.max(Math.sqrt(norm), FLOOR);
  return Math.max(overall, worst / Math.max(largest, FLOOR / Math.sqrt(spread)));
}

function differing(a: Uint32Array, b: Uint32Array): number {
  if (a.length !== b.length) return b.length;
  return a.reduce((count, code, i) => count + Number(code !== b[i]), 0);
}

/** The worst of the gradients' differences, and whose it is. */
function worstGradient(
  quantizer: CodaQuantizer,
  tokens: number,
  streamed: readonly Float32Array[],
  composed: readonly Float32Array[],
): { name: string; off: number } {
  const names = ["input", ...[...quantizer.parameters].map(({ name }) => name)];
  const all = names.map((name, i) => ({ name, off: difference(streamed[i], composed[i], tokens) }));
  return all.reduce((worst, next) => next.off > worst.off ? next : worst);
}

function makeQuantizer(
  gpu: Gpu,
  { codebookSize, tokens }: typeof CASES[number],
  norm: QuantizerNorm,
): CodaQuantizer {
  const quantizer = new CodaQuantizer(gpu, {
    codebookSize,
    channels: CHANNELS,
    attentionDim: ATTENTION_DIM,
    patchSizes: [sideOf(tokens)],
    norm,
    beta: 0.05,
  });
  quantizer.parameters.initialize(new Random(1));
  return quantizer;
}

/** Compares one case; prints its row and tells whether it passes. */
async function compare(one: typeof CASES[number], norm: QuantizerNorm): Promise<boolean> {
  const { codebookSize, tokens: count, piece } = one;
  const gpu = await benchGpu();
  using quantizer = makeQuantizer(gpu, one, norm);
  const tokens = makeTokens(count);
  const parts = cut(tokens, piece);
  const latent = await trained(quantizer, "streamed", tokens, "latent");
  const entropy = await trained(quantizer, "streamed", tokens, "entropy");
  const oracle = await composedLatent(quantizer, parts);
  const entropyOracle: EntropyFound = parts.length === 1
    ? await trained(quantizer, "composed", tokens, "entropy")
    : await piecedEntropy(quantizer, parts);
  gpu.trim();
  const codes = differing(latent.codes, oracle.codes) + differing(latent.encoded, oracle.encoded);
  const values = [
    difference(latent.fHat, oracle.fHat, count),
    difference([latent.vqLoss], [oracle.vqLoss], count),
    difference([entropy.entropyLoss], [entropyOracle.entropyLoss], count),
  ];
  const slopes = [
    worstGradient(quantizer, count, latent.gradients, oracle.gradients),
    worstGradient(quantizer, count, entropy.gradients, entropyOracle.gradients),
  ];
  const cells = [
    codebookSize,
    parts.length === 1 ? count : `${count} (${parts.length} × ${piece})`,
    norm,
    codes,
    ...values.map((off) => off.toExponential(1)),
    ...slopes.map(({ name, off }) => `${off.toExponential(1)} ${name}`),
  ];
  console.log(`| ${cells.join(" | ")} |`);
  return codes === 0 && values.every((off) => off <= LIMITS.value) &&
    slopes.every(({ off }) => off <= LIMITS.gradient);
}

console.log(
  `| V | tokens | norm | differing codes | f̂ | L_q | L_e | gradients of f̂ and L_q | gradients of L_e |
|---|---|---|---|---|---|---|---|---|`,
);
let passes = true;
for (const one of CASES) {
  for (const norm of NORMS) passes = await compare(one, norm) && passes;
}
if (!passes) Deno.exit(1);
