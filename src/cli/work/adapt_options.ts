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
  /** What the flags and the command itself say; undefined where they say nothing. */
  readonly flags: Partial<AdaptOptions>;
  /** Bytes of GPU memory to stay within, where there is a limit. */
  readonly memory?: number;
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
 * @throws {UsageError} where the file is unsound or of another command, or a preset lacks the VAE that it is
 * for.
 */
export async function settleOptions({ config, preset, flags, memory }: Given): Promise<Settled> {
  const file = config === undefined ? undefined : await readConfigFile(config);
  expectTask(config, file?.options.task, flags.task);
  const name = preset ?? file?.preset;
  const said = Object.fromEntries(Object.entries(flags).filter(([, value]) => value !== undefined));
  const options = { ...name && presetOptions(name, memory), ...file?.options, ...said };
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

/** The command says what is trained; a file may say it too, as a run's config.json does. */
function expectTask(config: string | undefined, found: unknown, own: unknown): void {
  if (found === undefined || own === undefined || found === own) return;
  const [text, expected] = [found, own].map((task) => JSON.stringify(task));
  throw new UsageError(`--config ${config}: task is ${text}, but this command's is ${expected}`);
}

/** A preset's options; with a limit to memory it says how many images a step has, not how it is cut. */
function presetOptions(name: AdaptPresetName, memory: number | undefined): Partial<AdaptOptions> {
  const { batch, accumulate, ...rest } = ADAPT_PRESETS[name];
  if (memory === undefined || batch === undefined) return ADAPT_PRESETS[name];
  return { ...rest, batch: batch * (accumulate ?? 1) };
}

function expectVae(preset: AdaptPresetName, { vae, from }: Partial<AdaptOptions>): void {
  const family = familyOf(preset);
  if (family === undefined || vae !== undefined || from !== undefined) return;
  throw new UsageError(`the preset ${preset} is for a VAE of ${family}: name its weights by --vae`);
}
