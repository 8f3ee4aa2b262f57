import type { Parameters } from "../nn/mod.ts";
import { ShapeError, shapeText, type Tensor } from "../tensor/mod.ts";
import type { QuantizerConfig } from "./config.ts";
import type { Grid } from "./grids.ts";

/** What a quantizer gives while it is trained. */
export interface Quantized {
  /** f̂, the quantized latent, [B, H, W, c]; gradients pass through it. */
  readonly fHat: Tensor;
  /** L_q, the mean of the scales' quantization losses; a scalar. */
  readonly vqLoss: Tensor;
  /** L_e, the mean of the scales' entropy losses, a scalar; only CODA's quantizer has one. */
  readonly entropyLoss?: Tensor;
  /** The chosen codes of each scale, u32 [B, h, w]. */
  readonly indices: readonly Tensor[];
}

/** The codes of one scale. */
export interface EncodedScale {
  /** The chosen codes, u32 [B, h, w]. */
  readonly index: Tensor;
  /** By how much each one's logit exceeds the second largest, [B, h, w]. */
  readonly margin: Tensor;
  /** Where codes were given, by how much it exceeds the logit of the one given, [B, h, w]. */
  readonly behind?: Tensor;
}

/** Finds the codes of latents: a quantizer, or what holds all that it makes of its parameters alone. */
export interface LatentEncoder extends Disposable {
  /** The codes of a scaled latent [B, H, W, c]: for each scale u32 [B, h, w], without gradients. */
  encode(f: Tensor): Tensor[];

  /**
   * The same codes with their margins: how far the second largest logit lies below the largest, so how
   * much rounding a code can bear.
   *
   * @param given Codes to compare with, of the first scales; those found are what is left over with.
   * @throws {RangeError} where rows are too wide for the kernels that stream.
   */
  encodeWithMargins(f: Tensor, given?: readonly Tensor[]): EncodedScale[];
}

/** Makes codes of a latent and a latent of codes: CODA's quantizer, or one that it is compared with. */
export interface Quantizer extends LatentEncoder {
  /** Its shape. */
  readonly config: QuantizerConfig;
  /** Its parameters, by the names that weight files use. */
  readonly parameters: Parameters;

  /** The grids of a latent of this size. */
  gridsFor(height: number, width: number): Grid[];

  /** Quantizes a scaled latent [B, H, W, c] for training: with losses and a straight-through gradient. */
  forward(f: Tensor): Quantized;

  /** Makes once what {@link encode} makes at each call, if that is anything; the caller's to dispose. */
  encoder?(): LatentEncoder;

  /**
   * The latent of codes, [B, H, W, c]. Fewer indices than there are scales give a valid, coarser latent.
   *
   * @throws {RangeError} where there are more of them than scales.
   */
  decode(indices: readonly Tensor[], size: Grid): Tensor;

  /**
   * What codes are told apart by, a row a code: CODA's keys [V, d], with which queries are multiplied;
   * the codes themselves [V, c] where the nearest one is taken. Without gradients.
   */
  keys(): Tensor;
}

/** Refuses a latent of other channels than the quantizer's. @throws {ShapeError} */
export function checkLatent(f: Tensor, { channels }: QuantizerConfig): void {
  if (f.rank === 4 && f.shape[3] === channels) return;
  throw new ShapeError(
    "quantize",
    `expected a latent [B, H, W, ${channels}], found ${shapeText(f.shape)}`,
  );
}

/** Refuses codes of more scales than the quantizer has. @throws {RangeError} */
export function checkScales(indices: readonly Tensor[], { patchSizes }: QuantizerConfig): void {
  if (indices.length <= patchSizes.length) return;
  throw new RangeError(
    `decode: codes of ${indices.length} scales, the quantizer has ${patchSizes.length}`,
  );
}
