/**
 * Layers with parameters: declared by name, loaded, initialised, adapted by LoRA.
 *
 * @module
 */
export {
  constant,
  normalWith,
  truncatedNormalWith,
  uniformFanIn,
  uniformWith,
} from "./initializers.ts";
export { Conv2d, type Conv2dConfig, GroupNorm, LayerNorm, Linear, RMSNorm } from "./layers.ts";
export type { Layout } from "./layout.ts";
export { fuseLora, injectLora, type Lora, LoraAdapter } from "./lora.ts";
export {
  type Declaration,
  type Initializer,
  type Page,
  PAGE_BLOCK,
  type Parameter,
  Parameters,
  type ParametersOptions,
  type Weights,
  weightsOf,
  type WeightSource,
} from "./parameters.ts";
