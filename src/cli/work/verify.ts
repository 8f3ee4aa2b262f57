/** The work of `coda verify`. */
import { printable } from "../../checkpoint/errors.ts";
import { type ImageError, loadImage, resizeShortSide } from "../../data/mod.ts";
import { type ScaleVerification, type Verification, verifyTokens } from "../../evaluate/mod.ts";
import { readTokens } from "../../tokens/mod.ts";
import { formatCount } from "../format.ts";
import { stopOnInterrupt } from "../interrupt.ts";
import { Problems } from "../problems.ts";
import { Progress } from "../progress.ts";
import type { ModelOptions } from "./model.ts";
import { VerifyModels } from "./verify_models.ts";

/** An image and its token file. */
export interface ImageWithTokens {
  /** The image's file. */
  readonly image: string;
  /** The token file. */
  readonly tokens: string;
}

/** How tokens are verified. */
export interface VerifyOptions extends ModelOptions {
  /** The largest margin of a near tie. */
  readonly tolerance: number;
  /** What each image's shorter side was made, if it was resized. */
  readonly shortSide: number | undefined;
  /** Whether one JSON document is printed. */
  readonly json: boolean;
}

/**
 * Verifies images' tokens, tells of those that cannot be, and returns the exit code.
 *
 * @param errors What was named beside them and is no image.
 */
export async function verifyImages(
  pairs: readonly ImageWithTokens[],
  errors: readonly ImageError[],
  options: VerifyOptions,
): Promise<number> {
  const { json, quiet } = options;
  using models = new VerifyModels(options);
  await models.get(await isFirstHalf(pairs));
  using stop = stopOnInterrupt();
  using progress = new Progress({ label: "verify", unit: "images", total: pairs.length, quiet });
  const problems = new Problems(progress);
  for (const error of errors) problems.add(error.file, error);
  const done: (ImageWithTokens & Verification)[] = [];
  for (const pair of pairs) {
    if (stop.signal.aborted) break;
    try {
      done.push({ ...pair, ...await verifyImage(models, pair, options) });
    } catch (error) {
      problems.add(pair.image, error);
    }
    progress.update(done.length + problems.count);
  }
  if (json) console.log(JSON.stringify(done, null, 2));
  else console.log([...done.flatMap(linesOf), summaryOf(done)].join("\n"));
  const code = problems.finish(pairs.length + errors.length, "compared");
  return done.some(({ verdict }) => verdict === "different") ? 1 : code;
}

/** Whether the first tokens were made in half: a model that cannot be loaded is told of before any image. */
async function isFirstHalf([first]: readonly ImageWithTokens[]): Promise<boolean> {
  if (first === undefined) return false;
  return await readTokens(first.tokens).then(({ half }) => half === true, () => false);
}

async function verifyImage(
  models: VerifyModels,
  { image, tokens }: ImageWithTokens,
  { shortSide, tolerance }: VerifyOptions,
): Promise<Verification> {
  const given = await readTokens(tokens);
  const loaded = await loadImage(image);
  const taken = shortSide === undefined ? loaded : resizeShortSide(loaded, shortSide);
  const tokenizer = await models.get(given.half === true);
  return await verifyTokens(tokenizer, taken, given, { tolerance, file: tokens });
}

/** An image whose tokens differ, scale by scale. */
function linesOf({ tokens, verdict, half, scales }: ImageWithTokens & Verification): string[] {
  if (verdict === "equal") return [];
  const lines = scales.flatMap((scale, i) =>
    scale.differences.length > 0 ? [`  scale ${i + 1}: ${differencesText(scale)}`] : []
  );
  return [`${printable(tokens)}: ${verdict}${halfText(half)}`, ...lines];
}

/** Why tokens may differ that were not made as they are compared. */
function halfText({ given, found }: Verification["half"]): string {
  if (given === found) return "";
  return given
    ? "; made with --half, compared without it, as this adapter cannot"
    : "; compared with --half, made without it, or by a version that did not say";
}

function differencesText({ grid, differences }: ScaleVerification): string {
  const margins = differences.map(({ margin }) => margin).sort((a, b) => a - b);
  const [least, most] = [margins[0], margins[margins.length - 1]].map((m) => m.toPrecision(2));
  return `${differences.length} of ${grid.height * grid.width} tokens differ, ` +
    `margins ${least} to ${most}`;
}

function summaryOf(done: readonly Verification[]): string {
  const count = (verdict: Verification["verdict"]) =>
    done.filter((one) => one.verdict === verdict).length;
  const scales = done.flatMap(({ scales }) => scales);
  const tokens = scales.reduce((sum, { grid }) => sum + grid.height * grid.width, 0);
  const differ = scales.reduce((sum, { differences }) => sum + differences.length, 0);
  return [
    done.length === 1 ? "1 image" : `${done.length} images`,
    ...(["equal", "near ties", "different"] as const).map((verdict) =>
      `${count(verdict)} ${verdict}`
    ),
    `${formatCount(differ)} of ${formatCount(tokens)} tokens differ`,
  ].join(", ");
}
