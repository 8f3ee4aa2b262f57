import { resolve } from "@std/path";
import { type Image, ImageError, ImageSizeError, loadImage } from "../data/mod.ts";
import { OutOfMemoryError } from "../gpu/mod.ts";
import type { Tokenizer } from "../tokenizer.ts";
import { type AutoencoderKL, NotFiniteError } from "../vae/mod.ts";
import { EvaluationFolder } from "./folder.ts";
import type { Judges } from "./judges.ts";
import { measure, type MeasuredImage } from "./measure.ts";
import type { ProtocolName } from "./protocol_names.ts";
import { PROTOCOLS } from "./protocols.ts";
import { Reconstructor } from "./reconstruct.ts";
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
  /** Ends it after the image under way. */
  readonly signal?: AbortSignal;
  /** Told, before the first image, of how many were done before. */
  readonly onBegin?: (done: number) => void;
  /** Told of how many images are done. */
  readonly onImage?: (done: number) => void;
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
  /** Whether the signal ended it before the last image. */
  readonly stopped: boolean;
  /** A sentence for each measure that is off, and why. */
  readonly off: readonly string[];
}

/** An image is decoded up to as many pixels as can be shrunk. */
const MAX_PIXELS = 2 ** 28;

/**
 * Measures a tokenizer on images (SPEC section 7): PSNR, SSIM, LPIPS and distances of sets, of the
 * reconstructions from tokens and of the continuous VAE beside them, and the use of the codebook. Images
 * go through one by one, all measures in one pass; memory does not grow with their number.
 *
 * @param files The images' files.
 * @throws {RangeError} where no image could be measured.
 * @throws {RunError} where the folder was begun with other settings.
 *
 * @example
 * ```ts
 * import { evaluate, saveImage, Tokenizer } from "@coda/tokenizer";
 *
 * const file = `${await Deno.makeTempDir()}/grey.png`;
 * await saveImage(file, { width: 16, height: 16, data: new Uint8Array(16 * 16 * 3).fill(99) });
 * using tokenizer = await Tokenizer.load();
 * const { discrete, codebook } = await evaluate(tokenizer, [file], { protocol: "original" });
 * console.log(discrete.psnr, codebook.used);
 * ```
 */
export async function evaluate(
  tokenizer: Tokenizer,
  files: readonly string[],
  options: EvaluateOptions = {},
): Promise<EvaluationReport> {
  const { protocol = "center-256", judges = NO_JUDGES, seed = 0, byScale = false, signal } =
    options;
  const continuous = options.continuous ?? { name: "the tokenizer's VAE", vae: tokenizer.vae };
  const { codebookSize } = tokenizer.quantizer.config;
  const tally = new Tally(codebookSize, judges.networks);
  const folder = options.out === undefined ? undefined : await EvaluationFolder.open(options.out, {
    model: tokenizer.modelId,
    half: tokenizer.vae.half,
    codebookSize,
    scaling: [tokenizer.vae.config.scale, tokenizer.vae.config.shift],
    continuous: continuous.vae === tokenizer.vae
      ? tokenizer.modelId
      : await weightsId(continuous.vae.parameters),
    protocol,
    seed,
    byScale,
    lpips: judges.lpips !== undefined,
    judges: judges.ids ?? {},
    networks: Object.fromEntries(judges.networks.map(({ name, length }) => [name, length])),
  });
  const left = new Set(distinct(files));
  const total = left.size;
  for await (const image of folder?.images([...left]) ?? []) {
    if (left.delete(image.file)) tally.add(image);
  }
  options.onBegin?.(tally.images);
  using models = new Reconstructor(tokenizer, continuous.vae, {
    protocol: PROTOCOLS[protocol],
    seed,
    byScale,
  });
  let skipped = 0;
  for await (const { file, image } of loaded([...left])) {
    if (signal?.aborted) break;
    const measured = await measuredOr(options.onSkip, file, async () => {
      if (image instanceof ImageError) throw image;
      return await measure(tokenizer.gpu, file, await models.reconstruct(image, file), judges);
    });
    if (measured) {
      await folder?.append(measured);
      tally.add(measured);
    } else skipped++;
    options.onImage?.(tally.images + skipped);
  }
  const stopped = tally.images + skipped < total;
  if (tally.images === 0) {
    throw new RangeError(noneText(total));
  }
  return {
    protocol,
    protocolWords: PROTOCOLS[protocol].words,
    model: tokenizer.modelId,
    continuousVae: continuous.name,
    skipped,
    stopped,
    off: judges.off,
    ...tally.measures(),
  };
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

/** Whether an error is that of an image, not of what would fail for all of them. */
function isOfImage(error: unknown): error is Error {
  return error instanceof ImageError || error instanceof ImageSizeError ||
    error instanceof NotFiniteError || error instanceof OutOfMemoryError;
}
