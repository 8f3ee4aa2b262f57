import { percent } from "../../src/evaluate/report/figures.ts";
import { table } from "../report/markdown.ts";
import type { Quality } from "./quality.ts";
import type { ClaimsResult, Moment, PartsResult, RunResult } from "./result.ts";
import { VQGAN_FACTOR } from "./runs.ts";
import { flopAt } from "./compute.ts";
import { partsVerdictsOf, runNamed, type Verdict, verdictsOf } from "./verdicts.ts";

/** The result as bench/results/claims.md has it. */
export function markdownOf(result: ClaimsResult): string {
  const { sizes: { warmupSteps }, photographs } = result;
  return `# The paper's claims, at the scale of one machine

![Four charts: codebook use, PSNR by compute, the parts of CODA one by one, PSNR by residual levels](claims.svg)

${introduction(result)}

## What holds at this scale

${verdictTable(verdictsOf(result))}

The paper's numbers are rFID on ImageNet; what is beside them here is PSNR, or \`resnet50-kid\`. ± is the
standard error that the choice of photographs brings to a difference, and "too close" one of less than
twice that; how much another seed would change, one run each does not tell. A few hundred steps on a few hundred
photographs show how much of a codebook is used from its start on, what quantizing a latent that is good
already costs, and what that saves beside learning all of it. They do not show what VQGAN reaches in the
300,000 iterations that it is trained for, nor how the parts of CODA would rank by the paper's rFID. With more steps the
parts differ: [claims_parts.md](claims_parts.md).

## (a) and (c): codebook use, and CODA's parts one by one

${methodTable(result)}

Codes of the last 80 steps' crops, as the joint steps went on:

${useTable(result)}

## (b): reconstruction and training compute

PSNR of ${photographs.lookedAt} of the held-out photographs on the way. Compute counts the products of
convolutions, attentions and codes, forward and backward; CODA's begins with caching latents and with
its quantizer's steps alone. What the VAE's own training took before, which CODA finds done, is not in it.

${computeTable(result)}

## (d): quality by number of residual levels

Quantizers alone on cached latents, ${warmupSteps} steps of 8, no joint steps; the levels are some of the
ten grids, evenly spread, and the finest is always among them. One level is direct VQ (with φ, or as
attention).

${levelTable(result)}
`;
}

/** The parts' result as bench/results/claims_parts.md has it. */
export function partsMarkdownOf(result: PartsResult): string {
  return `# CODA's parts one by one, trained for longer

${introduction(result)}

${verdictTable(partsVerdictsOf(result))}

The paper's numbers are rFID on ImageNet, and none of what stands beside them here is. ± is the standard
error that the choice of photographs brings to a difference, and "too close" one of less than twice that.

${methodTable(result)}

Codes of the last 80 steps' crops, as the joint steps went on:

${useTable(result)}

CODA by ${result.photographs.lookedAt} of the held-out photographs on the way:

${looksTable(result)}
`;
}

/** What was run, and where. */
function introduction({ setting, sizes, photographs, runs }: PartsResult): string {
  const { steps, warmupSteps, batch, imageSize, codebookSize, seed } = sizes;
  const commits = [...new Set(runs.map(({ commit }) => commit ?? "unknown"))];
  const hasVqgan = runs.some(({ name }) => name === "vqgan");
  const scratch = hasVqgan ? ", which VQGAN trains from scratch" : "";
  const longer = hasVqgan
    ? `; VQGAN takes as many, and in another run ${VQGAN_FACTOR * steps}`
    : "";
  return `\`${setting.command}\` on ${setting.adapter} (${setting.driver}; ${setting.machine}), commit
${setting.commit ?? "unknown"}, ${setting.date}.

Every run sees crops of ${imageSize}² from the same ${photographs.train} photographs, ${batch} in a joint step, V = ${codebookSize},
losses 0.2·L1 + L2 + L_q (+ 0.05·L_e where there is one), AdamW at 5e-4 falling to 0 as half a cosine,
seed ${seed}; encoder and decoder are those of the embedded tiny-kl-f8${scratch}.
Where the VAE is there already, its quantizer first trains ${warmupSteps} steps of 8 latents alone; then come ${steps} joint
steps${longer}. No perceptual and no adversarial loss, unlike the paper's. Evaluation: ${photographs.heldOut} held-out
photographs by \`center-${imageSize}\` (Lanczos to that short side, centre crop, mean latent, 8 bits).
\`resnet50-kid\` is the kernel distance on ResNet-50's features, the less the better; it is no FID.
Trained at ${commits.join(" and ")}.`;
}

function verdictTable(verdicts: readonly Verdict[]): string {
  return table(
    ["the paper says", "here", "holds here"],
    verdicts.map((
      { claim, here, holds },
    ) => [claim, here, holds === "no" ? "**no**" : holds]),
  );
}

function methodTable(result: PartsResult): string {
  const rows = methodsOf(result).map(({ title, trains, heldOut }) => [
    title,
    trains,
    String(heldOut.tokens),
    ...qualityCells(heldOut),
    percent(heldOut.codebook.used),
    heldOut.codebook.perplexity.toFixed(1),
  ]);
  return table(
    [
      "tokenizer",
      "trained beside the quantizer",
      "tokens",
      "PSNR",
      "SSIM",
      "resnet50-kid",
      "codes used",
      "perplexity",
    ],
    [...rows, ["the continuous VAE", "–", "–", ...qualityCells(result.continuous), "–", "–"]],
  );
}

const MOMENTS = [
  { name: "first report", at: 0 },
  { name: "a quarter", at: 0.25 },
  { name: "half", at: 0.5 },
  { name: "the end", at: 1 },
];

function useTable(result: PartsResult): string {
  const cells = (moments: readonly Moment[]) =>
    MOMENTS.map(({ at }) => {
      const { codebookUse, perplexity } = moments[Math.round(at * (moments.length - 1))];
      return `${percent(codebookUse)}, ${perplexity.toFixed(1)}`;
    });
  return table(
    ["codes used, perplexity", ...MOMENTS.map(({ name }) => name)],
    methodsOf(result).map(({ title, training }) => [title, ...cells(training)]),
  );
}

function looksTable(result: PartsResult): string {
  const rows = runNamed(result, "coda").looks.filter(({ step }) => step >= 0).map((
    { step, psnr },
  ) => [String(step), `${psnr.toFixed(2)} dB`]);
  return table(["joint steps", "PSNR"], rows);
}

function computeTable(result: ClaimsResult): string {
  const rows = (["coda", "vqgan"] as const).flatMap((name) =>
    runNamed(result, name).looks.map(({ step, psnr, codebookUse }) => [
      name === "coda" ? "CODA" : "VQGAN",
      step <= 0 ? `${result.sizes.warmupSteps + step} alone` : `${step} joint`,
      (flopAt(result.compute[name], step) / 1e12).toFixed(2),
      `${psnr.toFixed(2)} dB`,
      percent(codebookUse),
    ])
  );
  return table(["", "steps", "TFLOP", "PSNR", "codes used"], rows);
}

function levelTable({ runs }: ClaimsResult): string {
  return table(
    ["quantizer", "levels", "tokens", "PSNR", "SSIM", "resnet50-kid", "codes used", "perplexity"],
    runs.filter(({ claim }) => claim === "levels").map(({ title, levels, heldOut }) => [
      title,
      String(levels),
      String(heldOut.tokens),
      ...qualityCells(heldOut),
      percent(heldOut.codebook.used),
      heldOut.codebook.perplexity.toFixed(1),
    ]),
  );
}

function methodsOf({ runs }: PartsResult): RunResult[] {
  return runs.filter(({ claim }) => claim === "methods");
}

function qualityCells({ psnr, ssim, kid }: Quality): string[] {
  return [`${psnr.toFixed(2)} dB`, ssim.toFixed(3), kid.toFixed(3)];
}
