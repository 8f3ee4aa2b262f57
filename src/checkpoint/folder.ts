import { basename, dirname, extname, join } from "@std/path";
import { CheckpointError } from "./errors.ts";
import { WEIGHT_EXTENSIONS } from "./open_tensors.ts";
import type { WeightsKind } from "./parts.ts";
import { INDEX_SUFFIX } from "./sharded.ts";

/** Where a checkpoint's files are. */
export interface CheckpointFiles {
  /** What was named. */
  readonly path: string;
  /** The weight files: one that holds all, or the autoencoder's and the quantizer's. */
  readonly weights: readonly string[];
  /** The config.json beside them, where there is one. */
  readonly config: string | undefined;
  /** Whether the folder was named and not a file in it, so that config.json is the weights'. */
  readonly isFolder: boolean;
}

/** The files of an official CODA folder, without extensions, the wanted one of each pair first. */
const OFFICIAL: Readonly<Record<WeightsKind, readonly (readonly string[])[]>> = {
  ema: [["vae_ema", "vae"], ["quantizer_ema", "quantizer"]],
  trained: [["vae", "vae_ema"], ["quantizer", "quantizer_ema"]],
};

/** What the one weight file that a folder is about is usually called, the likeliest first. */
const USUAL: readonly string[] = ["model", "diffusion_pytorch_model", "pytorch_model"];

/**
 * Finds the files of what was named: a weight file, an index of shards, or a folder with one of
 * either, a diffusers folder (whose autoencoder is in `vae/`) or an official CODA folder.
 *
 * @throws {CheckpointError} where there is nothing, or nothing says which of several files is meant.
 */
export async function findFiles(path: string, kind: WeightsKind): Promise<CheckpointFiles> {
  const names = await namesIn(path);
  if (names === undefined) {
    await expectThere(path);
    const beside = await namesIn(dirname(path)) ?? [];
    const config = beside.includes("config.json") ? join(dirname(path), "config.json") : undefined;
    return { path, weights: [path], config, isFolder: false };
  }
  const config = names.includes("config.json") ? join(path, "config.json") : undefined;
  const weights = chooseWeights(path, names, kind);
  if (weights.length > 0) {
    return { path, weights: weights.map((name) => join(path, name)), config, isFolder: true };
  }
  const inner = join(path, "vae");
  if (await namesIn(inner) !== undefined) return await findFiles(inner, kind);
  throw new CheckpointError(
    path,
    `holds no weight file (${WEIGHT_EXTENSIONS.join(", ")}); name the file, or the folder it is in`,
  );
}

/**
 * Which of a folder's files are its weights: an official folder's wanted ones, or the one file that the
 * folder is about; none in a diffusers folder, whose weights are in the folders of its parts.
 *
 * @throws {CheckpointError} where nothing says which of several files is meant.
 */
export function chooseWeights(
  folder: string,
  names: readonly string[],
  kind: WeightsKind,
): string[] {
  if (names.includes("model_index.json")) return [];
  const official = officialFiles(names, kind);
  if (official.length > 0) return official;
  const found = choose(names);
  if (found.length > 1) throw severalFiles(folder, found);
  return found;
}

/** The visible files of a folder; undefined where there is no such folder. */
async function namesIn(folder: string): Promise<string[] | undefined> {
  try {
    const entries = await Array.fromAsync(Deno.readDir(folder));
    return entries.filter(({ name, isDirectory }) => !isDirectory && !name.startsWith("."))
      .map(({ name }) => name).sort();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) {
      return undefined;
    }
    throw new CheckpointError(
      folder,
      `cannot be read: ${error instanceof Error ? error.message : error}`,
      { cause: error },
    );
  }
}

async function expectThere(path: string): Promise<void> {
  try {
    await Deno.stat(path);
  } catch (cause) {
    if (!(cause instanceof Deno.errors.NotFound)) return; // its reader tells what is wrong
    throw new CheckpointError(path, "there is no such file or folder; check the path", { cause });
  }
}

function stem(name: string): string {
  return basename(name, extname(name));
}

/** The wanted autoencoder and quantizer among an official folder's files; nothing elsewhere. */
function officialFiles(names: readonly string[], kind: WeightsKind): string[] {
  return OFFICIAL[kind].flatMap((stems) => {
    const files = stems.flatMap((wanted) =>
      WEIGHT_EXTENSIONS.map((extension) => wanted + extension)
    );
    return files.find((file) => names.includes(file)) ?? [];
  });
}

/**
 * The weight files that a folder may be about: an index before its shards, safetensors before PyTorch,
 * a file before its variants (`x.fp16.safetensors` is one of `x.safetensors`), the usual name before
 * others.
 */
function choose(names: readonly string[]): string[] {
  for (const extension of WEIGHT_EXTENSIONS) {
    const indices = names.filter((name) => name.endsWith(extension + INDEX_SUFFIX));
    const files = names.filter((name) => extname(name).toLowerCase() === extension)
      .filter((name) => !/-\d{5}-of-\d{5}\./.test(name) || indices.length === 0);
    const stems = new Set(files.map(stem));
    const originals = files.filter((name) =>
      !stems.has(stem(stem(name))) || !stem(name).includes(".")
    );
    const candidates = [...indices, ...originals];
    if (candidates.length === 0) continue;
    const usual = USUAL.flatMap((name) =>
      candidates.find((file) =>
        file === name + extension || file === name + extension + INDEX_SUFFIX
      ) ?? []
    );
    return usual.length > 0 ? usual.slice(0, 1) : candidates;
  }
  return [];
}

function severalFiles(folder: string, names: readonly string[]): CheckpointError {
  return new CheckpointError(
    folder,
    `holds ${names.length} ${extname(names[0])} files (${names.join(", ")}); name one of them`,
  );
}
