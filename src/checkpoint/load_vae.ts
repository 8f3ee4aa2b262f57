import type { Gpu } from "../gpu/mod.ts";
import { fuseLora } from "../nn/mod.ts";
import { expectHalf } from "../ops/mod.ts";
import { AutoencoderKL } from "../vae/mod.ts";
import { loadAdapters } from "./adapters.ts";
import { assemble, type Checkpoint, openCheckpoint } from "./checkpoint.ts";
import { openEmbedded } from "./embedded.ts";
import type { WeightsKind } from "./parts.ts";
import { vaeOf, type VaeOptions } from "./vae_of.ts";

/** How an autoencoder is loaded. */
export interface LoadVaeOptions extends VaeOptions {
  /** Which weights are taken where a checkpoint has moving averages too; "ema". */
  readonly weights?: WeightsKind;
  /**
   * Stores weights and feature maps in f16: half the memory, for inference alone. Results differ from
   * those of f32 by rounding, and are NaN where a map exceeds 65504.
   */
  readonly half?: boolean;
}

/** The continuous VAE that ships with the package: see its model card. */
const EMBEDDED = "tiny-kl-f8";

/**
 * Reads a continuous VAE of any family of SPEC section 2 from a weight file (safetensors or PyTorch, in
 * LDM's or diffusers' key layout, below any prefix), the index of a sharded one, or a folder with
 * either; without a path, the embedded one. Its configuration is that of the weights, of a config.json
 * with diffusers' field names beside them, and of the published family whose shape they have. Adapters
 * that the file has are fused.
 *
 * @throws {CheckpointError} where a file is missing, unsound or of another model, or nothing says the
 * latent's scale, as before the end of a run that trains a VAE.
 * @throws {GpuError} where half is asked for and the adapter has no f16.
 *
 * @example
 * ```ts
 * import { Gpu, loadVae } from "@coda/tokenizer";
 *
 * using gpu = await Gpu.create();
 * using vae = await loadVae(gpu, "models/tiny-kl-f8");
 * console.assert(vae.reduction === 8);
 * ```
 */
export async function loadVae(
  gpu: Gpu,
  path?: string,
  options: LoadVaeOptions = {},
): Promise<AutoencoderKL> {
  if (options.half) await expectHalf(gpu);
  using checkpoint = path === undefined
    ? await openEmbeddedVae()
    : await openCheckpoint(path, options.weights);
  const { config, weights } = vaeOf(checkpoint, options);
  const vae = await AutoencoderKL.load(gpu, config, weights);
  try {
    if (await loadAdapters(vae, weights)) fuseLora(vae.convs);
    return options.half ? vae.toHalf() : vae;
  } catch (error) {
    vae[Symbol.dispose]();
    throw error;
  }
}

async function openEmbeddedVae(): Promise<Checkpoint> {
  const { config, configFile, weights } = await openEmbedded(EMBEDDED);
  return assemble(weights.file, [weights], { json: config, file: configFile });
}
