import { type Config, parseConfig } from "./config.ts";
import { CheckpointError } from "./errors.ts";
import { fetchKept } from "./fetch_kept.ts";
import { SafetensorsFile } from "./safetensors.ts";

/** A model that ships with the package, in memory. */
export interface EmbeddedModel {
  /** The parsed config.json. */
  readonly config: Config;
  /** The name of config.json, for messages. */
  readonly configFile: string;
  /** The weights. */
  readonly weights: SafetensorsFile;
}

/**
 * Reads a model that ships with the package, from where the package is: a folder or a server, which
 * is asked once.
 *
 * @param name Its folder in models/.
 * @throws {CheckpointError} where it cannot be reached.
 */
export async function openEmbedded(name: string): Promise<EmbeddedModel> {
  const get = (file: string) =>
    readBytes(new URL(`../../models/${name}/${file}`, import.meta.url), `built-in ${name}/${file}`);
  const [config, weights] = await Promise.all([get("config.json"), get("model.safetensors")]);
  const configFile = `built-in ${name}/config.json`;
  return {
    config: parseConfig(new TextDecoder().decode(config), configFile),
    configFile,
    weights: SafetensorsFile.fromBytes(weights, `built-in ${name}/model.safetensors`),
  };
}

async function readBytes(url: URL, file: string): Promise<Uint8Array> {
  try {
    return await fetchKept(url);
  } catch (cause) {
    const advice = url.protocol === "file:"
      ? "the package is not whole, install it again or name a model's folder"
      : "check the network or name a model's folder";
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new CheckpointError(file, `cannot be read (${why}); ${advice}`, { cause });
  }
}
