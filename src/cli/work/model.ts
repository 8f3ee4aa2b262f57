/** The tokenizer that a command works with. */
import type { TokenizerOptions } from "../../checkpoint/mod.ts";
import type { Gpu } from "../../gpu/mod.ts";
import { Tokenizer } from "../../tokenizer.ts";
import { pullFirst } from "./pull.ts";

/** Which tokenizer, and how it is loaded. */
export interface ModelOptions extends TokenizerOptions {
  /** The tokenizer; the embedded one. */
  readonly model: string | undefined;
  /** GPU bytes to stay within. */
  readonly memory: number | undefined;
  /** Whether nothing but problems and results is shown. */
  readonly quiet: boolean;
}

/**
 * Loads the tokenizer, from a hub where it is named so; the caller disposes it.
 *
 * @param gpu The device to use; its own.
 */
export async function loadModel(options: ModelOptions, gpu?: Gpu): Promise<Tokenizer> {
  const { model, weights, preset, scale, shift, memory, half } = options;
  await pullFirst(model, options);
  return await Tokenizer.load(model, {
    gpu,
    weights,
    preset,
    scale,
    shift,
    memoryBytes: memory,
    half,
  });
}
