import { dirname, extname, join, resolve } from "@std/path";
import { makeFolder, writeFileAtomic } from "./atomic.ts";
import { type Checkpoint, CONFIG_TEXT, openCheckpoint } from "./checkpoint.ts";
import { type ConversionPlan, planConversion } from "./convert_plan.ts";
import type { FloatDtype } from "./dtype.ts";
import { WriteError } from "./errors.ts";
import { WEIGHT_EXTENSIONS } from "./open_tensors.ts";
import type { WeightsKind } from "./parts.ts";
import type { QuantizerOptions } from "./quantizer_of.ts";
import { writeSafetensors } from "./safetensors_write.ts";
import { ShardedFile } from "./sharded.ts";
import type { VaeOptions } from "./vae_of.ts";

/** A key layout that is written. */
export type WrittenLayout = "ldm" | "diffusers";

/** How a checkpoint is converted. */
export interface ConvertOptions extends VaeOptions, QuantizerOptions {
  /** How the autoencoder's tensors are named; as they are. */
  readonly layout?: WrittenLayout;
  /** How floats are stored; as they are, f64 as f32. */
  readonly dtype?: FloatDtype;
  /** Whether adapters are written into their convolutions. */
  readonly fuseLora?: boolean;
  /** Which weights are taken where there are moving averages too; "ema". */
  readonly weights?: WeightsKind;
  /** Hears of each tensor that was written. */
  readonly onTensor?: (done: number, total: number) => void;
  /** Stops it; nothing of what was begun stays. */
  readonly signal?: AbortSignal;
}

/** What was converted into what. */
export interface Conversion {
  /** What was written. */
  readonly kind: "tokenizer" | "autoencoder" | "quantizer" | "tensors";
  /** The weight file. */
  readonly file: string;
  /** The config.json, in a folder. */
  readonly config: string | undefined;
  /** How the autoencoder's tensors are named in it, where there is one. */
  readonly layout: WrittenLayout | undefined;
  /** How many tensors it has. */
  readonly tensors: number;
  /** How many numbers they hold. */
  readonly parameters: number;
  /** How many adapters were written into their convolutions. */
  readonly fused: number;
  /** How many tensors of the input were left out, being other models'. */
  readonly leftOut: number;
  /** The family whose scale was written without a sign that it is this one and not another of its shape. */
  readonly guessedFamily: string | undefined;
}

/**
 * Writes a checkpoint as safetensors, tensor by tensor: in either key layout, in fewer bits, with its
 * adapters fused. What is read is what {@link loadVae} and {@link loadTokenizer} read. Of a file that
 * holds other models too the autoencoder and the quantizer are taken; a file that holds neither is
 * copied under its own names.
 *
 * @param input What {@link loadVae} or {@link loadTokenizer} can be given.
 * @param output A `.safetensors` file, which carries its configuration in its metadata, or a new or
 * empty folder, which gets a config.json. A tokenizer's tensors are named `vae.…` and `quantizer.…`.
 * @throws {CheckpointError} where the input cannot be read, is not whole, or cannot be stored so.
 * @throws {WriteError} where the output cannot be written; what was there before stays.
 *
 * @example
 * ```ts
 * import { convertCheckpoint } from "@coda/tokenizer";
 *
 * const out = `${await Deno.makeTempDir()}/vae.safetensors`;
 * const { layout, tensors } = await convertCheckpoint("models/tiny-kl-f8", out, {
 *   layout: "diffusers",
 *   dtype: "bf16",
 * });
 * console.assert(layout === "diffusers" && tensors > 100);
 * ```
 */
export async function convertCheckpoint(
  input: string,
  output: string,
  options: ConvertOptions = {},
): Promise<Conversion> {
  using checkpoint = await openCheckpoint(input, options.weights);
  const plan = planConversion(checkpoint, options);
  const target = await targetOf(output, checkpoint, plan);
  await write(plan, target, options);
  const { kind, layout, tensors, fused } = plan;
  const all = checkpoint.files.reduce((count, { names }) => count + names.length, 0);
  return {
    kind,
    ...target,
    layout,
    tensors: tensors.length,
    parameters: tensors.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0),
    fused,
    leftOut: all - tensors.length - 2 * fused,
    guessedFamily: plan.guessedFamily,
  };
}

/** The files of a conversion. */
interface Target {
  /** The weights. */
  readonly file: string;
  /** The config.json beside them; undefined where the weights carry it. */
  readonly config: string | undefined;
}

/** Where a conversion is written. @throws {WriteError} where it would go over what is worth something. */
async function targetOf(
  output: string,
  { files }: Checkpoint,
  { kind, layout, config }: ConversionPlan,
): Promise<Target> {
  const extension = extname(output).toLowerCase();
  if (extension === ".safetensors") {
    const inputs = files.flatMap((file) => file instanceof ShardedFile ? file.shards : [file]);
    if (inputs.some(({ file }) => resolve(file) === resolve(output))) {
      throw new WriteError(output, "it is the input; name another file");
    }
    return { file: output, config: undefined };
  }
  if (WEIGHT_EXTENSIONS.includes(extension)) {
    throw new WriteError(output, "weights are written as safetensors; name a .safetensors file");
  }
  await expectEmpty(output);
  const isDiffusers = kind === "autoencoder" && layout === "diffusers";
  const name = isDiffusers ? "diffusion_pytorch_model.safetensors" : "model.safetensors";
  return { file: join(output, name), config: config && join(output, "config.json") };
}

async function expectEmpty(folder: string): Promise<void> {
  try {
    for await (const { name } of Deno.readDir(folder)) {
      throw new WriteError(folder, `it is not empty (${name}); name a new folder, or a file`);
    }
  } catch (error) {
    if (error instanceof WriteError) throw error;
    // One that is not there yet is made; what else is wrong with it is told when it is written to.
  }
}

async function write(
  { tensors, config }: ConversionPlan,
  target: Target,
  options: ConvertOptions,
): Promise<void> {
  const onTensor = (done: number, total: number) => {
    options.signal?.throwIfAborted();
    options.onTensor?.(done, total);
  };
  const metadata: Record<string, string> = { format: "pt" };
  if (config && target.config === undefined) metadata[CONFIG_TEXT] = JSON.stringify(config);
  await makeFolder(dirname(target.file));
  await writeSafetensors(target.file, tensors, { metadata, onTensor });
  if (target.config === undefined) return;
  await writeFileAtomic(target.config, `${JSON.stringify(config, null, 2)}\n`);
}
