import { assert, assertEquals } from "@std/assert";
import { fromFileUrl, join, relative, resolve } from "@std/path";

/** The rooms of src/, from the ground floor up: each imports only from those before it. */
const ROOMS: readonly string[] = [
  ...["gpu", "tensor", "ops", "nn", "vae", "quantizer", "losses", "checkpoint", "data", "tokens"],
  ...["metrics", "train", "image_vae.ts", "tokenizer.ts", "evaluate", "cli"],
];
/** Entries beside the rooms; they only gather. */
const ENTRIES: readonly string[] = ["tensor.ts"];

const src = fromFileUrl(new URL("../src", import.meta.url));

async function* filesBelow(folder: string): AsyncGenerator<string> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (isDirectory) yield* filesBelow(join(folder, name));
    else if (name.endsWith(".ts")) yield join(folder, name);
  }
}

/** The files that a file imports by relative paths, at its top or later. */
async function importsOf(file: string): Promise<string[]> {
  const text = await Deno.readTextFile(file);
  return [...text.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*"(\.[^"]+)"/g)]
    .map(([, path]) => resolve(file, "..", path));
}

const roomOf = (path: string) => relative(src, path).split(/[\\/]/)[0];

Deno.test("a room imports only from rooms below it", async () => {
  const wrong: string[] = [];
  let seen = 0;
  for await (const file of filesBelow(src)) {
    const room = roomOf(file);
    if (ENTRIES.includes(room)) continue;
    assert(ROOMS.includes(room), `${room} has no place among the rooms`);
    for (const path of await importsOf(file)) {
      if (roomOf(path) === room || roomOf(path) === "..") continue;
      seen++;
      const at = ROOMS.indexOf(roomOf(path));
      if (at < 0 || at > ROOMS.indexOf(room)) {
        wrong.push(`${relative(src, file)} imports ${relative(src, path)}`);
      }
    }
  }
  assertEquals(wrong, []);
  assert(seen > 100, `only ${seen} imports were found`);
});
