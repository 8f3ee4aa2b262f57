import { assertEquals, assertRejects } from "@std/assert";
import { join } from "@std/path";
import sharp from "sharp";
import { WriteError } from "../../src/checkpoint/errors.ts";
import { ImageError, saveImage } from "../../src/data/mod.ts";

const image = {
  width: 24,
  height: 16,
  data: Uint8Array.from({ length: 24 * 16 * 3 }, (_, i) => Math.floor(i / 72) * 15),
};

async function inFolder(run: (at: (name: string) => string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await run((name) => join(folder, name));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("saveImage writes the format that the extension names", () =>
  inFolder(async (at) => {
    for (const [name, format] of [["a.png", "png"], ["a.JPG", "jpeg"], ["a.jpeg", "jpeg"]]) {
      await saveImage(at(name), image);
      assertEquals((await sharp(at(name)).metadata()).format, format);
    }
    await saveImage(at("a.webp"), image);
    const { format, width, height } = await sharp(at("a.webp")).metadata();
    assertEquals([format, width, height], ["webp", 24, 16]);
  }));

Deno.test("saveImage loses nothing in PNG and little in JPEG", () =>
  inFolder(async (at) => {
    await saveImage(at("a.png"), image);
    assertEquals(new Uint8Array(await sharp(at("a.png")).raw().toBuffer()), image.data);
    await saveImage(at("a.jpg"), image);
    const jpeg = await sharp(at("a.jpg")).raw().toBuffer();
    assertEquals(jpeg.every((x, i) => Math.abs(x - image.data[i]) <= 4), true);
  }));

Deno.test("saveImage's quality makes files smaller", () =>
  inFolder(async (at) => {
    await saveImage(at("low.jpg"), image, { quality: 10 });
    await saveImage(at("high.jpg"), image, { quality: 100 });
    assertEquals(Deno.statSync(at("low.jpg")).size < Deno.statSync(at("high.jpg")).size, true);
    for (const quality of [0, 101, 50.5]) {
      await assertRejects(() => saveImage(at("a.jpg"), image, { quality }), RangeError, "quality");
    }
  }));

Deno.test("saveImage refuses other extensions and unwritable folders, leaving nothing", () =>
  inFolder(async (at) => {
    await assertRejects(() => saveImage(at("a.bmp"), image), ImageError, "use .png, .jpg");
    await assertRejects(() => saveImage(at("a"), image), ImageError, "extension");
    await assertRejects(() => saveImage(at("none/a.png"), image), WriteError, "does not exist");
    const wide = { width: 17_000, height: 1, data: new Uint8Array(51_000) };
    await assertRejects(() => saveImage(at("wide.webp"), wide), ImageError, "17000×1");
    assertEquals([...Deno.readDirSync(at("."))], []);
  }));
