/**
 * The continuous autoencoder that CODA adapts.
 *
 * @module
 */
export { AutoencoderKL, type Posterior, samplePosterior } from "./autoencoder.ts";
export {
  inferVaeConfig,
  reductionOf,
  type ShapeSource,
  type VaeConfig,
  vaeConfig,
  vaeConfigToJson,
} from "./config.ts";
