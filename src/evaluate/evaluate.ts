import { resolve } from "@std/path";
import { type Image, ImageError, loadImage } from "../data/mod.ts";
import type { Tokenizer } from "../tokenizer.ts";
import type { AutoencoderKL } from "../vae/mod.ts";
import { EvaluationFolder } from "./folder.ts";
import { isOfImage } from "./image_error.ts";
import type { Judges } from "./judges.ts";
import { measure, type MeasuredImage } from "./measure.ts";
import type { ProtocolName } from "./protocol_names.ts";
import { PROTOCOLS } from "./protocols.ts";
import { Reconstructor } from "./reconstruct.ts";
import { Choice } from "./report/choose.ts";
import { Grids, gridsOf } from "./report/grids.ts";
import { expectWritable, writePage } from "./report/write.ts";
import { type SetMeasures, Tally } from "./tally.ts";
import { weightsId } from "./weights_id.ts";

/** How a tokenizer is evaluated. */
export interface EvaluateOptions {
  /** How images are cut and what is taken of their latents; `center-256`. */
  readonly protocol?: ProtocolName;
  /** The continuous VAE to compare with; the tokenizer's own, which has learned to decode tokens. */
  readonly continuous?: { readonly name: string; readonly vae: AutoencoderKL };
  /** The networks that judge, by {@link loadJudges}; none. */
  readonly judges?: Judges;
  /** Whether images from the first 1, 2, … scales are measured too: as many decodings; false. */
  readonly byScale?: boolean;
  /** Decides the crops and samples of `coda-official`, with the images' names; 0. */
  readonly seed?: number;
  /** A folder for each image's results, from which an interrupted evaluation goes on; none. */
  readonly out?: string;
  /**
   * A file for a page in HTML that shows what was found, and some images; none. It has all that it needs
   * in itself. `byScale` goes with it.
   */
  readonly report?: string;
  /** How many files more were named that are no images: `skipped` counts them too; 0. */
  readonly missing?: number;
  /** Ends it after the image under way. */
  readonly signal?: AbortSignal;
  /** Told, before the first image, of how many were done before. */
  readonly onBegin?: (done: number) => void;
  /** Told of how many images are done. */
  readonly onImage?: (done: number) => void;
  /** Told of what was measured, before the report is begun: that may fail, or be stopped. */
  readonly onMeasured?: (found: EvaluationReport) => void;
  /** Told of how much of the report is done. */
  readonly onReport?: (done: number, total: number) => void;
  /** Told of an image that cannot be measured, and why; it is left out. Without it, it is thrown. */
  readonly onSkip?: (file: string, error: Error) => void;
}

/** What an evaluation found. */
export interface EvaluationReport extends SetMeasures {
  /** The protocol of every number. */
  readonly protocol: ProtocolName;
  /** It in words. */
  readonly protocolWords: string;
  /** The tokenizer's id. */
  readonly model: string;
  /** What the continuous VAE is called. */
  readonly continuousVae: string;
  /** How many images were left out. */
  readonly skipped: number;
  /** Whether the signal ended it before the last image, or before its page was written. */
  readonly stopped: boolean;
  /** A sentence for each measure that is off, and why. */
  readonly off: readonly string[];
}

/** An image is decoded up to as many pixels as can be shrunk. */
const MAX_PIXELS = 2 ** 28;

/**
 * Measures a tokenizer on images (SPEC section 7): PSNR, SSIM, LPIPS and distances of sets, of the
 * reconstructions from tokens and of the continuous VAE beside them, and the use of the codebook. Images
 * go through one by one, all measures in one pass; memory does not grow with their number. For a report
 * the images that it shows go through once more; one that does not is left out there, by name.
 *
 * @param files The images' files.
 * @throws {RangeError} where no image could be measured.
 * @throws {RunError} where the folder was begun with other settings, or another evaluation writes it.
 * @throws {WriteError} where the report or the folder cannot be written.
 * @throws {DOMException} an AbortError, where the signal ended it before the first image.
 *
 * @example
 * ```ts
 * import { evaluate, saveImage, Tokenizer } from "@coda/tokenizer";
 *
 * const folder = await Deno.makeTempDir();
 * const file = `${folder}/grey.png`;
 * await saveImage(file, { width: 16, height: 16, data: new Uint8Array(16 * 16 * 3).fill(99) });
 * using tokenizer = await Tokenizer.load();
 * const { discrete, codebook } = await evaluate(tokenizer, [file], {
 *   protocol: "original",
 *   report: `${folder}/report.html`,
 * });
 * console.log(discrete.psnr, codebook.used);
 * ```
 */
export async function evaluate(
  tokenizer: Tokenizer,
  files: readonly string[],
  options: EvaluateOptions = {},
): Promise<EvaluationReport> {
  const { protocol = "center-256", judges = NO_JUDGES, seed = 0, signal, report: page } = options;
  const { missing = 0 } = options;
  const byScale = options.byScale || page !== undefined;
  const continuous = options.continuous ?? { name: "the tokenizer's VAE", vae: tokenizer.vae };
  if (page !== undefined) await expectWritable(page);
  using models = new Reconstructor(tokenizer, continuous.vae, {
    protocol: PROTOCOLS[protocol],
    seed,
    byScale,
  });
  const settled = { ...options, protocol, judges, seed, byScale };
  const pass = await measureAll(tokenizer, models, files, settled);
  const { tally, skipped, stopped } = pass;
  if (tally.images === 0) {
    if (stopped) signal?.throwIfAborted();
    throw new RangeError(noneText(skipped));
  }
  const report: EvaluationReport = {
    protocol,
    protocolWords: PROTOCOLS[protocol].words,
    model: tokenizer.modelId,
    continuousVae: continuous.name,
    skipped: skipped + missing,
    stopped,
    off: judges.off,
    ...tally.measures(),
  };
  if (stopped) return report;
  options.onMeasured?.(report);
  if (page === undefined) return report;
  const isWritten = await writePage(page, {
    report,
    tokenizer,
    models,
    chosen: pass.choice.chosen(),
    grids: pass.grids.texts,
    counts: tally.counts,
    meanPixels: tally.meanPixels,
    maxPixels: MAX_PIXELS,
    signal,
    onPart: options.onReport,
  });
  return { ...report, stopped: !isWritten };
}

/** Options of which these are settled. */
type Settled =
  & EvaluateOptions
  & Required<Pick<EvaluateOptions, "protocol" | "judges" | "seed" | "byScale">>;

/** What a pass over the images gives. */
interface Pass {
  readonly tally: Tally;
  readonly choice: Choice;
  readonly grids: Grids;
  readonly skipped: number;
  readonly stopped: boolean;
}

/** Measures the images that the folder of results does not have yet; sums up all of them. */
async function measureAll(
  tokenizer: Tokenizer,
  models: Reconstructor,
  files: readonly string[],
  options: Settled,
): Promise<Pass> {
  const { judges, signal } = options;
  using folder = await openFolder(tokenizer, options);
  const tally = new Tally(tokenizer.quantizer.config.codebookSize, judges.networks);
  const [choice, grids] = [new Choice(), new Grids()];
  const add = (image: MeasuredImage) => {
    tally.add(image);
    choice.add(image);
    grids.add(gridsOf(tokenizer, image));
  };
  const left = new Set(distinct(files));
  const total = left.size;
  for await (const image of folder?.images([...left]) ?? []) {
    if (left.delete(image.file)) add(image);
  }
  options.onBegin?.(tally.images);
  let skipped = 0;
  for await (const { file, image } of loaded([...left])) {
    if (signal?.aborted) break;
    const measured = await measuredOr(options.onSkip, file, async () => {
      if (image instanceof ImageError) throw image;
      return await measure(tokenizer.gpu, file, await models.reconstruct(image, file), judges);
    });
    if (measured) {
      await folder?.append(measured);
      add(measured);
    } else skipped++;
    options.onImage?.(tally.images + skipped);
  }
  return { tally, choice, grids, skipped, stopped: tally.images + skipped < total };
}

/** The folder of results; undefined where none is kept. */
async function openFolder(
  { vae, modelId, quantizer }: Tokenizer,
  { out, protocol, seed, byScale, judges, continuous }: Settled,
): Promise<EvaluationFolder | undefined> {
  if (out === undefined) return undefined;
  return await EvaluationFolder.open(out, {
    model: modelId,
    half: vae.half,
    codebookSize: quantizer.config.codebookSize,
    scaling: [vae.config.scale, vae.config.shift],
    continuous: continuous === undefined || continuous.vae === vae
      ? modelId
      : await weightsId(continuous.vae.parameters),
    protocol,
    seed,
    byScale,
    lpips: judges.lpips !== undefined,
    judges: judges.ids ?? {},
    networks: Object.fromEntries(judges.networks.map(({ name, length }) => [name, length])),
  });
}

function noneText(total: number): string {
  if (total === 0) return "there are no images to measure";
  return total === 1
    ? "the image could not be measured"
    : `none of the ${total} images could be measured`;
}

/** Files of which none is another one under another name. */
function distinct(files: readonly string[]): string[] {
  return [...new Map(files.map((file) => [resolve(file), file])).values()];
}

const NO_JUDGES: Judges = { networks: [], off: [], [Symbol.dispose]() {} };

/** Images, the next of which is read while the caller works on one; or why one cannot be read. */
async function* loaded(
  files: readonly string[],
): AsyncGenerator<{ file: string; image: Image | ImageError }> {
  const load = (file: string) =>
    loadImage(file, { maxPixels: MAX_PIXELS }).catch((error) => {
      if (error instanceof ImageError) return error;
      throw error;
    });
  let next = files.length > 0 ? load(files[0]) : undefined;
  for (let i = 0; i < files.length; i++) {
    const image = await next!;
    next = i + 1 < files.length ? load(files[i + 1]) : undefined;
    yield { file: files[i], image };
  }
}

/** What was measured of an image; undefined where its own error was told. */
async function measuredOr(
  onSkip: EvaluateOptions["onSkip"],
  file: string,
  work: () => Promise<MeasuredImage>,
): Promise<MeasuredImage | undefined> {
  try {
    return await work();
  } catch (error) {
    if (!onSkip || !isOfImage(error)) throw error;
    onSkip(file, error);
    return undefined;
  }
}
