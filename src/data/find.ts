import { extname, join } from "@std/path";
import { ImageError } from "./errors.ts";

/** Extensions of the files that {@link findImages} takes from a folder. */
export const IMAGE_EXTENSIONS: readonly string[] = [
  ".jpg",
  ".jpeg",
  ".png",
  ".webp",
  ".tif",
  ".tiff",
  ".gif",
  ".avif",
];

/** Order of UTF-16 code units: the same on every machine, whatever its language. */
function byCodeUnits(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

async function stat(path: string): Promise<Deno.FileInfo> {
  try {
    return await Deno.stat(path);
  } catch (cause) {
    const why = cause instanceof Deno.errors.NotFound
      ? "there is no such file or folder; check the path"
      : `cannot be read: ${cause instanceof Error ? cause.message : cause}`;
    throw new ImageError(path, why, cause);
  }
}

/** The images below a folder. Links are followed; a folder is entered once. */
async function walk(folder: string, entered: Set<string>): Promise<string[]> {
  const real = await Deno.realPath(folder);
  if (entered.has(real)) return [];
  entered.add(real);
  const found: string[] = [];
  for await (const entry of Deno.readDir(folder)) {
    if (entry.name.startsWith(".")) continue;
    const path = join(folder, entry.name);
    const info = entry.isSymlink ? await Deno.stat(path).catch(() => undefined) : entry;
    if (info?.isDirectory) found.push(...await walk(path, entered));
    else if (info?.isFile && isImageName(entry.name)) found.push(path);
  }
  return found;
}

function isImageName(name: string): boolean {
  return IMAGE_EXTENSIONS.includes(extname(name).toLowerCase());
}

async function imagesBelow(folder: string): Promise<string[]> {
  let found: string[];
  try {
    found = await walk(folder, new Set());
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new ImageError(folder, `cannot be read: ${why}`, cause);
  }
  if (found.length === 0) {
    throw new ImageError(
      folder,
      `holds no images; expected files ending in ${IMAGE_EXTENSIONS.join(", ")}`,
    );
  }
  return found.sort(byCodeUnits);
}

/**
 * The image files among files and below folders. Files come as given, whatever their name; a folder
 * gives those with an image's extension at any depth, sorted by UTF-16 code units, without hidden
 * ones. Each path comes once.
 *
 * @throws {ImageError} If a path does not exist or a folder holds no image.
 *
 * @example
 * ```ts
 * import { findImages } from "@coda/tokenizer";
 *
 * const folder = await Deno.makeTempDir();
 * await Deno.writeFile(`${folder}/b.png`, new Uint8Array());
 * await Deno.writeFile(`${folder}/a.jpg`, new Uint8Array());
 * const images = await findImages([folder]);
 * console.assert(images.length === 2 && images[0].endsWith("a.jpg"));
 * ```
 */
export async function findImages(paths: readonly string[]): Promise<string[]> {
  const found = new Set<string>();
  for (const path of paths) {
    const { isDirectory } = await stat(path);
    for (const file of isDirectory ? await imagesBelow(path) : [path]) found.add(file);
  }
  return [...found];
}
