import { readConfig, readingConfig } from "../checkpoint/mod.ts";
import { openEmbedded } from "../checkpoint/embedded.ts";
import type { Config } from "../checkpoint/mod.ts";
import { VAE_FAMILIES, type VaeShape, vaeShapeAlone } from "../vae/mod.ts";
import { OptionError } from "./errors.ts";

/** The build of an autoencoder from scratch where none is given. */
const DEFAULT = "tiny-kl-f8";

/**
 * How an autoencoder from scratch is built: as a published family, as a config.json (a VAE's, or the `vae`
 * part of a tokenizer's) or the one in a folder says, or as the embedded VAE.
 *
 * @throws {OptionError} where it is neither a family's name nor a path.
 * @throws {CheckpointError} where config.json is unsound, or describes what is not built here.
 */
export async function readArchitecture(architecture: string | undefined): Promise<VaeShape> {
  if (architecture === undefined) {
    const { config, configFile } = await openEmbedded(DEFAULT);
    return shapeOf(config, configFile);
  }
  const isMeant = ({ name }: { name: string }) => name.toLowerCase() === architecture.toLowerCase();
  const family = VAE_FAMILIES.find(isMeant);
  if (family) return family.config;
  const file = await fileOf(architecture);
  return shapeOf(await readConfig(file), file);
}

async function fileOf(path: string): Promise<string> {
  try {
    return (await Deno.stat(path)).isDirectory ? `${path}/config.json` : path;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    const names = VAE_FAMILIES.map(({ name }) => JSON.stringify(name)).join(", ");
    throw new OptionError(
      "architecture",
      `is ${JSON.stringify(path)}, expected ${names}, or a config.json or folder that is there`,
    );
  }
}

function shapeOf(config: Config, file: string): VaeShape {
  const { vae } = config;
  const isPart = typeof vae === "object" && vae !== null;
  return readingConfig(file, () => vaeShapeAlone(isPart ? vae as Config : config, file));
}
