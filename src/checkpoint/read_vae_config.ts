import { type ShapeSource, type VaeConfig, vaeConfig, type VaeHints } from "../vae/mod.ts";
import { type Config, readingConfig } from "./config.ts";

/**
 * The configuration of an autoencoder from the two files that tell of it.
 *
 * @param json The part of config.json that is the autoencoder's.
 * @param file The name of config.json, for messages.
 * @param weights The weights, which fill in and must not gainsay.
 * @param hints What is known beside them.
 * @throws {CheckpointError} where they do not make one; it names the file at fault.
 */
export function readVaeConfig(
  json: Config,
  file: string,
  weights: ShapeSource,
  hints: VaeHints = {},
): VaeConfig {
  return readingConfig(file, () => vaeConfig(json, weights, file, hints), weights.file);
}
