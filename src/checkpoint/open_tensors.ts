import { extname } from "@std/path";
import { CheckpointError } from "./errors.ts";
import { PytorchFile } from "./pytorch/pytorch_file.ts";
import { SafetensorsFile } from "./safetensors.ts";
import { INDEX_SUFFIX, ShardedFile } from "./sharded.ts";
import type { TensorFile } from "./source.ts";

/** The extensions of weight files, the preferred ones first. */
export const WEIGHT_EXTENSIONS: readonly string[] = [
  ".safetensors",
  ".pth",
  ".pt",
  ".ckpt",
  ".bin",
];

/** How much of a file is looked at to tell what it is. */
const SNIFFED = 64;

/**
 * Opens a weight file of any format: safetensors, PyTorch, or the index of shards of either. What it
 * is, its first bytes say, not its name.
 *
 * @throws {CheckpointError} where there is none, or it is unsound.
 *
 * @example
 * ```ts
 * import { openTensors, writeSafetensors } from "@coda/tokenizer";
 *
 * const path = `${await Deno.makeTempDir()}/weights`;
 * await writeSafetensors(path, [{ name: "w", shape: [2], data: new Float32Array([1, 2]) }]);
 * using file = await openTensors(path);
 * console.assert(file.format === "safetensors" && file.names[0] === "w");
 * ```
 */
export async function openTensors(path: string): Promise<TensorFile> {
  if (path.endsWith(INDEX_SUFFIX)) return await ShardedFile.open(path, openTensors);
  const format = formatOf(path);
  if (format === "pytorch") return await PytorchFile.open(path);
  return await SafetensorsFile.open(path);
}

/** The format of a file; safetensors where nothing tells, so that its reader says what is wrong. */
function formatOf(path: string): TensorFile["format"] {
  const bytes = firstBytes(path);
  const text = new TextDecoder("latin1").decode(bytes);
  if (text.startsWith("version https://git-lfs")) {
    throw new CheckpointError(
      path,
      "is a Git LFS pointer and not the weights themselves; fetch them with git lfs pull",
    );
  }
  if (/^\s*<(?:!doctype|html|\?xml)/i.test(text)) {
    throw new CheckpointError(
      path,
      "is a web page and not the weights themselves; fetch the file behind the page's download link",
    );
  }
  if (text[8] === "{") return "safetensors"; // behind the length of the header
  const isZip = text.startsWith("PK\x03\x04");
  const isPickle = bytes[0] === 0x80 && bytes[1] <= 5;
  if (isZip || isPickle) return "pytorch";
  const extension = extname(path).toLowerCase();
  return [".pth", ".pt", ".ckpt", ".bin"].includes(extension) ? "pytorch" : "safetensors";
}

/** The beginning of a file; nothing where it cannot be read, which its reader tells. */
function firstBytes(path: string): Uint8Array {
  const bytes = new Uint8Array(SNIFFED);
  try {
    using file = Deno.openSync(path);
    return bytes.subarray(0, file.readSync(bytes) ?? 0);
  } catch {
    return new Uint8Array();
  }
}
