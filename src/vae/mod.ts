/**
 * The continuous autoencoder that CODA adapts.
 *
 * @module
 */
export { AutoencoderKL, type Posterior, samplePosterior } from "./autoencoder.ts";
export { reductionOf, shapeWords, type VaeConfig, type VaeShape } from "./config.ts";
export {
  toldScaling,
  vaeConfig,
  vaeConfigToJson,
  type VaeHints,
  vaeShapeAlone,
  vaeShapeFrom,
} from "./config_json.ts";
export { familiesOf, type FamilyMatch, VAE_FAMILIES, type VaeFamily } from "./families.ts";
export { HalfOverflowError, NotFiniteError } from "./finite.ts";
export { inferVaeConfig, inferVaeShape, type ShapeSource } from "./infer.ts";
export type { MemoryPlan } from "./memory_plan.ts";
export { isUnmeasured, knownScaling, type Scaling, unknownScaling, unmeasured } from "./scale.ts";
export { type Shapes, vaeShapes } from "./shapes.ts";
