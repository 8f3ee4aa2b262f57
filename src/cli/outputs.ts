/** Which file each input becomes. */
import { basename, dirname, extname, join, relative, resolve } from "@std/path";
import { makeFolder } from "../checkpoint/atomic.ts";
import { ImageError } from "../data/errors.ts";
import { findImages, IMAGE_EXTENSIONS } from "../data/find.ts";
import { CommandError, UsageError } from "./errors.ts";

/** The extensions that no one gives a folder. */
const FILE_EXTENSIONS: readonly string[] = [...IMAGE_EXTENSIONS, ".bmp", ".coda", ".json"];

/** An input file and the file that it becomes. */
export interface Job {
  /** The file to read. */
  readonly input: string;
  /** The file to write. */
  readonly output: string;
}

/** How outputs are named. */
export interface OutputOptions {
  /** What --out was given: a folder, or a file for one input; undefined is the working directory. */
  readonly out: string | undefined;
  /** The extensions by which --out is known to be a file, with their dots. */
  readonly extensions: readonly string[];
  /** The extension of outputs in a folder. */
  readonly extension: string;
}

/** An input, and what its output is called below the output folder, without an extension. */
export interface Named {
  /** The file to read. */
  readonly input: string;
  /** Its name, with folders where it is below a folder that was given. */
  readonly name: string;
}

/** The images among what was named. */
export interface NamedImages {
  /** Each image once. */
  readonly images: Named[];
  /** What is neither an image's file nor a folder with images, each with the reason. */
  readonly errors: ImageError[];
}

/** Images among files and below folders. A folder's images keep their places below it. */
export async function namedImages(paths: readonly string[]): Promise<NamedImages> {
  const found = new Map<string, Named>();
  const errors: ImageError[] = [];
  for (const path of new Set(paths)) {
    for (const input of await imagesOf(path, errors)) {
      const inner = input === path ? basename(input) : relative(path, input);
      const key = resolve(input);
      if (!found.has(key)) found.set(key, { input, name: withoutExtension(inner) });
    }
  }
  return { images: [...found.values()], errors };
}

/**
 * Images, where there are any.
 *
 * @throws {CommandError} where none was found; it says what was wrong with all that was named.
 */
export async function someImages(paths: readonly string[]): Promise<NamedImages> {
  const named = await namedImages(paths);
  if (named.images.length > 0) return named;
  throw new CommandError(named.errors.map(({ message }) => message).join("\n"));
}

async function imagesOf(path: string, errors: ImageError[]): Promise<string[]> {
  try {
    return await findImages([path]);
  } catch (error) {
    if (!(error instanceof ImageError)) throw error;
    errors.push(error);
    return [];
  }
}

/** Files as they were given. */
export function namedFiles(paths: readonly string[]): Named[] {
  const different = new Map(paths.map((path) => [resolve(path), path]));
  return [...different.values()].map((input) => ({
    input,
    name: withoutExtension(basename(input)),
  }));
}

/**
 * Gives every input its output and makes the folders.
 *
 * @throws {UsageError} where two inputs would become one file, an output is an input, or --out is
 * named like a file of another kind.
 * @throws {WriteError} where a folder cannot be written.
 */
export async function planOutputs(
  inputs: readonly Named[],
  options: OutputOptions,
): Promise<Job[]> {
  await checkOut(options);
  const jobs = nameOutputs(inputs, options);
  checkOutputs(jobs);
  for (const folder of new Set(jobs.map(({ output }) => dirname(output)))) {
    await makeFolder(folder);
  }
  return jobs;
}

/** Whether --out names a file. */
export function isOutputFile({ out, extensions }: OutputOptions): boolean {
  return out !== undefined && extensions.includes(extname(out).toLowerCase());
}

/** Refuses to make a folder of a file's name; one that is there already may be called anything. */
async function checkOut({ out, extensions }: OutputOptions): Promise<void> {
  if (out === undefined) return;
  const extension = extname(out).toLowerCase();
  if (extensions.includes(extension) || !FILE_EXTENSIONS.includes(extension)) return;
  const info = await Deno.stat(out).catch(() => undefined);
  if (info?.isDirectory) return;
  throw new UsageError(
    `--out ${out} is named like a file, which ends in ${extensions.join(", ")} here: ` +
      "name one of those, or a folder",
  );
}

function nameOutputs(inputs: readonly Named[], options: OutputOptions): Job[] {
  const { out, extension } = options;
  if (out === undefined || !isOutputFile(options)) {
    return inputs.map(({ input, name }) => ({ input, output: join(out ?? ".", name + extension) }));
  }
  if (inputs.length > 1) {
    throw new UsageError(
      `--out ${out} is one file for ${inputs.length} inputs: name a folder instead`,
    );
  }
  return inputs.map(({ input }) => ({ input, output: out }));
}

function checkOutputs(jobs: readonly Job[]): void {
  const inputs = new Map(jobs.map(({ input }) => [resolve(input), input]));
  const outputs = new Map<string, string>();
  for (const { input, output } of jobs) {
    const path = resolve(output);
    const other = outputs.get(path);
    if (other !== undefined) {
      throw new UsageError(
        `${other} and ${input} would both become ${output}: do them one after the other, ` +
          "with different --out folders",
      );
    }
    if (inputs.has(path)) {
      throw new UsageError(`${inputs.get(path)} would be overwritten: name another --out folder`);
    }
    outputs.set(path, input);
  }
}

function withoutExtension(path: string): string {
  return path.slice(0, path.length - extname(path).length);
}
