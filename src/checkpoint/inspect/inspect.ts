import { type Checkpoint, openCheckpoint } from "../checkpoint.ts";
import { CheckpointError } from "../errors.ts";
import { tokenizerOf, type TokenizerOptions } from "../load_tokenizer.ts";
import type { TensorFile } from "../source.ts";
import { describeVae, expectWhole, vaeOf } from "../vae_of.ts";
import { amountOf } from "./amount.ts";
import { inspectVae } from "./autoencoder.ts";
import { nearestModel } from "./difference.ts";
import { knownModel } from "./known_models.ts";
import { inspectQuantizer, missingIn } from "./quantizer.ts";
import { refusal } from "./refusal.ts";
import type { InspectedGroup, Inspection } from "./types.ts";

/**
 * Says what a weight file or folder holds, from names and shapes alone: which model in which layout, of
 * which published family, what is missing or beside it; and of a file of something else what it is nearest
 * to and why it does not fit.
 *
 * @param path What {@link loadVae} or {@link loadTokenizer} can be given.
 * @throws {CheckpointError} where there is nothing to read, or a file is unsound.
 *
 * @example
 * ```ts
 * import { inspectCheckpoint } from "@coda/tokenizer";
 *
 * const { kind, vae, problem } = await inspectCheckpoint("models/tiny-kl-f8");
 * console.assert(kind === "autoencoder" && vae?.layout === "ldm" && problem === undefined);
 * ```
 */
export async function inspectCheckpoint(
  path: string,
  options: TokenizerOptions = {},
): Promise<Inspection> {
  using checkpoint = await openCheckpoint(path, options.weights);
  const { files, vae, quantizer } = checkpoint;
  const own = ownNames(checkpoint);
  return {
    path,
    kind: kindOf(checkpoint),
    problem: problemOf(checkpoint, options),
    files: files.map((file) => ({
      file: file.file,
      format: file.format,
      ...amountOf(file, file.names),
      metadata: file.metadata,
    })),
    vae: vae && inspectVae(checkpoint, vae, options),
    quantizer: quantizer && inspectQuantizer(checkpoint, quantizer, options),
    others: files.flatMap((file) => groupsOf(file, own)),
    ...(vae || quantizer ? NOTHING_ELSE : somethingElse(files)),
  };
}

function kindOf({ vae, quantizer }: Checkpoint): Inspection["kind"] {
  if (vae) return quantizer ? "tokenizer" : "autoencoder";
  return quantizer ? "quantizer" : "unknown";
}

const NOTHING_ELSE = { looksLike: undefined, nearest: undefined };

function somethingElse(files: readonly TensorFile[]): Pick<Inspection, "looksLike" | "nearest"> {
  const tensors = files.flatMap((file) =>
    file.names.map((name) => [name, file.info(name).shape] as const)
  );
  return {
    looksLike: knownModel(tensors.map(([name]) => name)),
    nearest: nearestModel(new Map(tensors)),
  };
}

/** The names in the files of all that is a model's, and of what stands among it. */
function ownNames({ vae, quantizer }: Checkpoint): Set<string> {
  const parts = [vae, quantizer].filter((part) => part !== undefined);
  const names = parts.flatMap(({ weights }) =>
    weights.names.map((name) => weights.nameInFile(name))
  );
  return new Set([...names, ...vae?.unknown ?? []]);
}

/** What happens where the checkpoint is used; undefined where nothing does. */
function problemOf(checkpoint: Checkpoint, options: TokenizerOptions): string | undefined {
  const { vae, quantizer, path } = checkpoint;
  return refusal(() => {
    if (vae === undefined && quantizer === undefined) {
      throw new CheckpointError(path, "holds neither an autoencoder nor a quantizer of CODA's");
    }
    if (vae !== undefined) {
      // What the network lacks goes before what nobody said of its latent.
      expectWhole(vae.weights, describeVae(checkpoint, options).shape);
      if (quantizer) tokenizerOf(checkpoint, options);
      else vaeOf(checkpoint, options);
    }
    if (quantizer === undefined) return;
    const [missing] = missingIn(quantizer);
    if (missing !== undefined) {
      throw new CheckpointError(quantizer.file.file, "is missing", { tensor: missing });
    }
  });
}

/** A file's tensors that are neither model's, by the first word of their names. */
function groupsOf(file: TensorFile, own: ReadonlySet<string>): InspectedGroup[] {
  const groups = Map.groupBy(
    file.names.filter((name) => !own.has(name)),
    (name) => name.split(".")[0],
  );
  return Array.from(groups, ([name, names]) => ({ name, ...amountOf(file, names) }));
}
