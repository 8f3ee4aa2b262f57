/**
 * Weight files: reading and writing safetensors, reading PyTorch's, key layouts and configurations,
 * loading models, writing any file atomically, and the identity of a model.
 *
 * @module
 */

export { makeFolder, writeFileAtomic } from "./atomic.ts";
export { type Config, configPart, parseConfig, readConfig, readingConfig } from "./config.ts";
export {
  type Conversion,
  convertCheckpoint,
  type ConvertOptions,
  type WrittenLayout,
} from "./convert.ts";
export type { FloatDtype, IntegerDtype, StoredDtype, StoredFloat, TensorData } from "./dtype.ts";
export { CheckpointError, type CheckpointErrorOptions, WriteError } from "./errors.ts";
export { inspectCheckpoint } from "./inspect/inspect.ts";
export type {
  Amount,
  InspectedFamily,
  InspectedFile,
  InspectedGroup,
  InspectedLora,
  InspectedQuantizer,
  InspectedVae,
  Inspection,
  NearestFamily,
} from "./inspect/types.ts";
export type { Difference, Misshapen } from "./inspect/difference.ts";
export {
  type AdaptedParts,
  loadAdapted,
  loadTokenizer,
  type TokenizerFiles,
  type TokenizerOptions,
  type TokenizerParts,
} from "./load_tokenizer.ts";
export type { KeyLayout } from "./layouts.ts";
export { type HubReference, isHubReference, parseHubReference } from "./hub/reference.ts";
export { pullCheckpoint, type Pulled, type PullOptions } from "./hub/pull.ts";
export { loadVae, type LoadVaeOptions } from "./load_vae.ts";
export { modelId, type NamedWeights } from "./model_id.ts";
export { openTensors } from "./open_tensors.ts";
export type { WeightsKind } from "./parts.ts";
export { prefixed, type PrefixedFile } from "./prefixed.ts";
export { PRESET_NAMES, type PresetName } from "./preset_names.ts";
export { type Preset, PRESETS } from "./presets.ts";
export { PytorchFile } from "./pytorch/pytorch_file.ts";
export type { QuantizerOptions } from "./quantizer_of.ts";
export { readVaeConfig } from "./read_vae_config.ts";
export { saveTokenizer } from "./save_tokenizer.ts";
export { KerasWeights } from "./keras_weights.ts";
export { resnet50Weights } from "./resnet50_weights.ts";
export { SafetensorsFile } from "./safetensors.ts";
export {
  encodeSafetensors,
  type SafetensorsOptions,
  type TensorToMake,
  type TensorToStore,
  writeSafetensors,
  type WriteSafetensorsOptions,
} from "./safetensors_write.ts";
export type { FloatTensor, IntegerTensor, StoredTensor, TensorFile, TensorInfo } from "./source.ts";
export type { VaeOptions } from "./vae_of.ts";
