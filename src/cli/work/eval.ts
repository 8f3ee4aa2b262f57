/** The work of `coda eval`. */
import { loadVae } from "../../checkpoint/mod.ts";
import type { ImageError } from "../../data/mod.ts";
import { evaluate, type EvaluationReport, loadJudges } from "../../evaluate/mod.ts";
import type { ProtocolName } from "../../evaluate/protocol_names.ts";
import type { Tokenizer } from "../../tokenizer.ts";
import type { AutoencoderKL } from "../../vae/mod.ts";
import { stopOnInterrupt } from "../interrupt.ts";
import { Problems } from "../problems.ts";
import { Progress } from "../progress.ts";
import { reportText } from "./eval_text.ts";
import { loadModel, type ModelOptions } from "./model.ts";
import { pullFirst } from "./pull.ts";

/** How a tokenizer is evaluated. */
export interface EvalOptions extends ModelOptions {
  /** The continuous VAE beside it. */
  readonly vae: string | undefined;
  /** How images are cut and encoded. */
  readonly protocol: ProtocolName;
  /** VGG16's file. */
  readonly vgg: string | undefined;
  /** LPIPS's file. */
  readonly lpips: string | undefined;
  /** InceptionV3's file. */
  readonly inception: string | undefined;
  /** The network for distances of sets. */
  readonly features: "resnet50" | undefined;
  /** Whether prefixes of the scales are measured. */
  readonly byScale: boolean;
  /** The folder to keep results in. */
  readonly out: string | undefined;
  /** The file of a page that shows it all. */
  readonly report: string | undefined;
  /** Whether one JSON document is printed. */
  readonly json: boolean;
  /** The least mean PSNR, in decibels. */
  readonly minPsnr: number | undefined;
  /** The least mean SSIM. */
  readonly minSsim: number | undefined;
  /** The least share of the codebook. */
  readonly minCodebook: number | undefined;
  /** Decides crops and samples. */
  readonly seed: number;
}

/**
 * Evaluates a tokenizer on images, tells of those that cannot be measured, and returns the exit code.
 *
 * @param errors What was named beside them and is no image.
 */
export async function evaluateImages(
  files: readonly string[],
  errors: readonly ImageError[],
  options: EvalOptions,
): Promise<number> {
  const { quiet, json, protocol, seed, byScale, out } = options;
  await pullFirst(options.vae, options);
  using tokenizer = await loadModel(options);
  using continuous = await loadContinuous(tokenizer, options);
  using progress = new Progress({ label: "eval", unit: "images", total: files.length, quiet });
  const say = (text: string) => quiet ? undefined : progress.message(`coda: ${text}`);
  using judges = await loadJudges(tokenizer.gpu, options, say);
  using page = new Progress({ label: "report", unit: "parts", quiet });
  using stop = stopOnInterrupt();
  const problems = new Problems(progress);
  for (const error of errors) problems.add(error.file, error);
  let isMeasured = false;
  const report = await evaluate(tokenizer, files, {
    continuous,
    judges,
    protocol,
    seed,
    byScale,
    out,
    report: options.report,
    missing: errors.length,
    signal: stop.signal,
    onBegin: (done) => progress.begin(done),
    onImage: (done) => progress.update(done),
    onMeasured: (found) => {
      isMeasured = true;
      progress[Symbol.dispose](); // its line would stand before what is printed
      console.log(json ? JSON.stringify(found, null, 2) : reportText(found));
    },
    onReport: (done, total) => {
      page.total = total;
      if (done === 0) page.begin(0);
      else page.update(done);
    },
    onSkip: (file, error) => problems.add(file, error),
  }).catch((error) => {
    if (error instanceof DOMException && stop.signal.aborted) return undefined;
    throw error;
  });
  page[Symbol.dispose]();
  if (report === undefined) {
    progress.message("coda: stopped before the first image");
    return 130;
  }
  if (report.stopped) {
    const where = isMeasured
      ? `before ${options.report} was written`
      : `after ${report.images} of ${files.length} images`;
    progress.message(`coda: stopped ${where}; ${keptText(isMeasured, options)}`);
    return 130;
  }
  const low = belowThresholds(report, options);
  for (const text of low) progress.message(`coda: ${text}`);
  const code = problems.finish(files.length + errors.length, "measured");
  return low.length > 0 ? 1 : code;
}

/** The VAE of --vae; or that which the built-in tokenizer was adapted from; or the tokenizer's own. */
async function loadContinuous(
  { gpu, vae }: Tokenizer,
  options: EvalOptions,
): Promise<{ name: string; vae: AutoencoderKL } & Disposable> {
  if (options.vae === undefined && options.model !== undefined) {
    return { name: "the tokenizer's own VAE", vae, [Symbol.dispose]() {} };
  }
  const { half, weights, scale, shift } = options;
  const path = options.vae;
  const own = await loadVae(
    gpu,
    path,
    path === undefined ? { half } : { half, weights, scale, shift },
  );
  return {
    name: path ?? "the built-in VAE",
    vae: own,
    [Symbol.dispose]: () => own[Symbol.dispose](),
  };
}

/** What an evaluation that was stopped leaves. */
function keptText(isMeasured: boolean, { out }: EvalOptions): string {
  if (out !== undefined) return "the same command goes on";
  return isMeasured ? "what was measured stands above" : "nothing was kept, as there is no --out";
}

/** A sentence for each mean that is below what it was to be. */
export function belowThresholds(
  { protocol, discrete, codebook }: EvaluationReport,
  { minPsnr, minSsim, minCodebook }: Pick<EvalOptions, "minPsnr" | "minSsim" | "minCodebook">,
): string[] {
  const rows: [flag: string, found: number, least: number | undefined][] = [
    ["--min-psnr", discrete.psnr ?? Infinity, minPsnr],
    ["--min-ssim", discrete.ssim, minSsim],
    ["--min-codebook", codebook.used, minCodebook],
  ];
  return rows.flatMap(([flag, found, least]) =>
    least === undefined || found >= least
      ? []
      : [`${flag} ${least} is not reached: ${textBelow(found, least)} at ${protocol}`]
  );
}

/** A number to five digits, or to as many as show that it is less than another. */
function textBelow(found: number, least: number): string {
  let digits = 5;
  while (digits < 17 && Number(found.toPrecision(digits)) >= least) digits++;
  return found.toPrecision(digits);
}
