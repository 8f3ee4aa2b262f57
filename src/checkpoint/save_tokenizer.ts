import { vaeConfigToJson } from "../vae/mod.ts";
import { quantizerConfigToJson } from "../quantizer/mod.ts";
import { makeFolder, writeFileAtomic } from "./atomic.ts";
import type { FloatDtype } from "./dtype.ts";
import type { TokenizerParts } from "./load_tokenizer.ts";
import { writeSafetensors } from "./safetensors_write.ts";

/**
 * Writes a tokenizer as a folder that {@link loadTokenizer} reads: config.json and model.safetensors,
 * with LoRA fused. Weights stored in fewer bits are another model, with another id.
 *
 * @throws {WriteError} where the folder cannot be written.
 * @throws {TypeError} where the autoencoder was loaded in f16: its weights are not those of its id.
 */
export async function saveTokenizer(
  { vae, quantizer }: Pick<TokenizerParts, "vae" | "quantizer">,
  folder: string,
  { dtype = "f32" }: { dtype?: FloatDtype } = {},
): Promise<void> {
  if (vae.half) {
    throw new TypeError(
      "save: the weights were rounded to f16 when loaded: load them without half",
    );
  }
  await makeFolder(folder);
  const parts = { vae: vae.parameters, quantizer: quantizer.parameters };
  const tensors = [];
  for (const [prefix, parameters] of Object.entries(parts)) {
    for (const { name, shape, data } of await parameters.weights()) {
      tensors.push({ name: `${prefix}.${name}`, shape, data });
    }
  }
  const config = {
    vae: vaeConfigToJson(vae.config),
    quantizer: quantizerConfigToJson(quantizer.config),
  };
  await writeSafetensors(`${folder}/model.safetensors`, tensors, { dtype });
  await writeFileAtomic(`${folder}/config.json`, JSON.stringify(config, null, 2) + "\n");
}
