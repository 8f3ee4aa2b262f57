import { assertEquals, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { creditOf, creditsText } from "../../../src/cli/work/demo/photos.ts";
import { PICTURE_SIZE, prepare } from "../../../src/cli/work/demo/prepare.ts";
import { CommandError } from "../../../src/cli/errors.ts";
import { loadImage } from "../../../src/data/mod.ts";
import { withFolder } from "../../data/photos.ts";
import { contents, writeImages } from "../tiny_tokenizer.ts";

const { signal } = new AbortController();

Deno.test("prepare: some photographs are held out, the others become tiles, a bad one is told", async () => {
  await withFolder(async (path) => {
    const photos = join(path, "photos");
    await writeImages(photos, Array.from({ length: 9 }, () => [96, 72] as const));
    await Deno.writeTextFile(join(photos, "bad.jpg"), "no image");
    const held: string[][] = [];
    for (const seed of [0, 0, 1]) {
      const tilesFolder = await Deno.makeTempDir({ dir: path });
      const skipped: string[] = [];
      const onSkip = ({ file }: { file: string }) => void skipped.push(file);
      const { heldOut, trained, tiles } = await prepare(photos, {
        tilesFolder,
        seed,
        onSkip,
        signal,
      });
      assertEquals(skipped, [join(photos, "bad.jpg")]);
      assertEquals([heldOut.length, trained], [4, 5]);
      for (const { image } of heldOut) {
        assertEquals([image.width, image.height], [PICTURE_SIZE, PICTURE_SIZE]);
      }
      const names = Object.keys(await contents(tilesFolder));
      assertEquals([names.length, tiles], [5 * 2 * 3, 5 * 2 * 3]); // 256×192 in tiles of 72
      const { width, height } = await loadImage(join(tilesFolder, names[0]));
      assertEquals([width, height], [72, 72]);
      held.push(heldOut.map(({ name }) => name));
    }
    assertEquals(held[0], held[1]);
    assertEquals(held[0].join() === held[2].join(), false);
  });
});

Deno.test("prepare: too few photographs are an error that names the folder", async () => {
  await withFolder(async (path) => {
    await writeImages(path, [[96, 72], [96, 72]]);
    await assertRejects(
      () => prepare(path, { tilesFolder: path, seed: 0, onSkip: () => {}, signal }),
      CommandError,
      `${path}: 2 photographs can be used, the demo needs at least 8`,
    );
  });
});

Deno.test("credits: a name says who made the photograph", () => {
  assertEquals(
    creditOf("vincentiu-solomon-ln5drpv_ImI-unsplash"),
    "Vincentiu Solomon, https://unsplash.com/photos/ln5drpv_ImI",
  );
  assertEquals(
    creditOf("john-fowler-d2YMQ-hZ3og-unsplash"),
    "John Fowler, https://unsplash.com/photos/d2YMQ-hZ3og",
  );
  assertEquals(creditOf("holiday"), undefined);
  assertEquals(creditsText(["nasa-CpHNKNRwXps-unsplash", "x"]).includes("- Nasa, https://"), true);
});
