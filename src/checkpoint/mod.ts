/**
 * Weight files: reading and writing safetensors, writing any file atomically, and the identity of a
 * model.
 *
 * @module
 */

export { makeFolder, writeFileAtomic } from "./atomic.ts";
export { type Config, configPart, parseConfig, readConfig } from "./config.ts";
export type { FloatDtype, IntegerDtype, StoredDtype, StoredFloat, TensorData } from "./dtype.ts";
export { CheckpointError, type CheckpointErrorOptions, WriteError } from "./errors.ts";
export { loadTokenizer, type TokenizerFiles, type TokenizerParts } from "./load_tokenizer.ts";
export { loadVae } from "./load_vae.ts";
export { modelId, type NamedWeights } from "./model_id.ts";
export { prefixed, type PrefixedFile } from "./prefixed.ts";
export { readVaeConfig } from "./read_vae_config.ts";
export { saveTokenizer } from "./save_tokenizer.ts";
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
