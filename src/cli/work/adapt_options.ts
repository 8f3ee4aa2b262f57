/** Where the options of `coda adapt` come from: flags, before a file, before a preset. */
import { ADAPT_PRESETS, familyOf } from "../../train/adapt_presets.ts";
import type { AdaptOptions, OptionError } from "../../train/mod.ts";
import type { AdaptPresetName } from "../../train/preset_names.ts";
import { UsageError } from "../errors.ts";
import { flagName } from "../flags.ts";
import { readConfigFile } from "./config_file.ts";

/** What was given. */
export interface Given {
  /** The file of --config. */
  readonly config: string | undefined;
  /** The name of --preset. */
  readonly preset: AdaptPresetName | undefined;
  /** What the flags say; undefined where they say nothing. */
  readonly flags: Partial<AdaptOptions>;
}

/** The options of all three, and how to speak of one. */
export interface Settled {
  /** The options. */
  readonly options: Partial<AdaptOptions>;
  /** The library's word about an option, with the place where it was given. */
  usageError(error: OptionError): UsageError;
}

/**
 * Puts the options together.
 *
 * @throws {UsageError} where the file is unsound, or a preset lacks the VAE that it is for.
 */
export async function settleOptions({ config, preset, flags }: Given): Promise<Settled> {
  const file = config === undefined ? undefined : await readConfigFile(config);
  const name = preset ?? file?.preset;
  const said = Object.fromEntries(Object.entries(flags).filter(([, value]) => value !== undefined));
  const options = { ...name && ADAPT_PRESETS[name], ...file?.options, ...said };
  if (name) expectVae(name, options);
  return {
    options,
    usageError({ option, problem }: OptionError): UsageError {
      const isFiles = !Object.hasOwn(said, option) && file && Object.hasOwn(file.options, option);
      if (isFiles) return new UsageError(`--config ${config}: ${option} ${problem}`);
      if (option === "task") return new UsageError(`the task ${problem}`); // no flag says it
      return new UsageError(`--${option === "imageSize" ? "size" : flagName(option)} ${problem}`);
    },
  };
}

function expectVae(preset: AdaptPresetName, { vae, from }: Partial<AdaptOptions>): void {
  const family = familyOf(preset);
  if (family === undefined || vae !== undefined || from !== undefined) return;
  throw new UsageError(`the preset ${preset} is for a VAE of ${family}: name its weights by --vae`);
}
