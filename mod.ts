/**
 * CODA for Deno: turns images into discrete tokens and back, and adapts a continuous VAE to do so.
 *
 * @example
 * ```ts
 * import { Tokenizer } from "@coda/tokenizer";
 *
 * using tokenizer = await Tokenizer.load();
 * const image = { width: 64, height: 64, data: new Uint8Array(64 * 64 * 3) };
 * const tokens = await tokenizer.encode(image);
 * console.log(tokens.indices.map((scale) => scale.length)); // tokens per scale, coarse to fine
 * ```
 *
 * @module
 */
export * from "./src/checkpoint/mod.ts";
export * from "./src/data/mod.ts";
export * from "./src/evaluate/mod.ts";
export * from "./src/gpu/mod.ts";
export * from "./src/losses/mod.ts";
export * from "./src/metrics/mod.ts";
export * from "./src/nn/mod.ts";
export {
  type Conv2dOptions,
  type FusedConv2dOptions,
  type FusedNorm,
  type GroupNormOptions,
  type Padding2d,
  type Slot,
  type Tile,
  type Tiles,
  tune,
  type TuneOptions,
  type Tuning,
} from "./src/ops/mod.ts";
export * from "./src/quantizer/mod.ts";
export {
  type Backward,
  type Cotangents,
  type DType,
  type FloatType,
  type JointBackward,
  type Node,
  Random,
  type Remake,
  type Shape,
  Tensor,
} from "./src/tensor/mod.ts";
export * from "./src/tokenizer.ts";
export * from "./src/tokens/mod.ts";
export * from "./src/train/mod.ts";
export * from "./src/vae/mod.ts";
