import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import sharp from "sharp";
import { type Image, ImageError, loadImage, saveImage } from "../../src/data/mod.ts";

function gradient(width: number, height: number): Image {
  return {
    width,
    height,
    data: Uint8Array.from({ length: width * height * 3 }, (_, i) => (i * 37) % 256),
  };
}

function raw({ width, height, data }: Image, channels: 1 | 2 | 3 | 4 = 3) {
  return sharp(data, { raw: { width, height, channels } });
}

async function failure(source: string | Uint8Array, file?: string): Promise<string> {
  const error = await assertRejects(() => loadImage(source, { file }), ImageError);
  assertEquals(error.message.includes("\n"), false);
  assertStringIncludes(error.message, error.file);
  return error.message;
}

Deno.test("loadImage lays transparent parts on white", async () => {
  const data = new Uint8Array([10, 20, 30, 0, 10, 20, 30, 255, 0, 0, 0, 128]);
  const png = await raw({ width: 3, height: 1, data }, 4).png().toBuffer();
  // 255 · (1 − 128/255) = 127
  assertEquals([...(await loadImage(png)).data], [255, 255, 255, 10, 20, 30, 127, 127, 127]);
});

Deno.test("loadImage takes grey with alpha", async () => {
  const png = await raw({ width: 2, height: 1, data: new Uint8Array([9, 255, 9, 0]) }, 2)
    .toColourspace("b-w").png().toBuffer();
  assertEquals([...(await loadImage(png)).data], [9, 9, 9, 255, 255, 255]);
});

Deno.test("loadImage reduces 16 bits to 8", async () => {
  const png = await raw({ width: 2, height: 1, data: new Uint8Array([0, 128, 255, 7, 99, 200]) })
    .toColourspace("rgb16").png().toBuffer();
  assertEquals((await sharp(png).metadata()).depth, "ushort");
  assertEquals([...(await loadImage(png)).data], [0, 128, 255, 7, 99, 200]);
});

Deno.test("loadImage converts CMYK to sRGB", async () => {
  const white = { width: 8, height: 8, data: new Uint8Array(192).fill(255) };
  const jpeg = await raw(white).toColourspace("cmyk").jpeg({ quality: 100 }).toBuffer();
  assertEquals((await sharp(jpeg).metadata()).channels, 4);
  const { data } = await loadImage(jpeg);
  assertEquals(data.length, 192);
  assertEquals(data.every((x) => x >= 250), true);
});

Deno.test("loadImage takes the first frame of an animation", async () => {
  const frames = { width: 4, height: 8, data: new Uint8Array(96).fill(255, 48) };
  const gif = await sharp(frames.data, {
    raw: { width: 4, height: 8, channels: 3, pageHeight: 4 },
  }).gif().toBuffer();
  assertEquals((await sharp(gif).metadata()).pages, 2);
  const { width, height, data } = await loadImage(gif);
  assertEquals([width, height], [4, 4]);
  assertEquals(data.every((x) => x === 0), true);
});

Deno.test("loadImage reads AVIF and a single pixel", async () => {
  const avif = await raw({ width: 16, height: 16, data: new Uint8Array(768).fill(128) })
    .avif({ quality: 90 }).toBuffer();
  const { data } = await loadImage(avif);
  assertEquals(data.every((x) => Math.abs(x - 128) <= 2), true);
  const png = await raw({ width: 1, height: 1, data: new Uint8Array([1, 2, 3]) }).png().toBuffer();
  assertEquals([...(await loadImage(png)).data], [1, 2, 3]);
});

Deno.test("loadImage refuses files cut short, of every format", async () => {
  const image = raw(gradient(64, 48));
  const files = {
    jpeg: await image.clone().jpeg().toBuffer(),
    progressive: await image.clone().jpeg({ progressive: true }).toBuffer(),
    png: await image.clone().png().toBuffer(),
    webp: await image.clone().webp().toBuffer(),
    tiff: await image.clone().tiff({ compression: "none" }).toBuffer(),
    gif: await image.clone().gif().toBuffer(),
  };
  for (const [format, bytes] of Object.entries(files)) {
    await loadImage(bytes);
    for (const share of [0.1, 0.5, 0.9]) {
      const short = bytes.subarray(0, Math.floor(bytes.length * share));
      assertStringIncludes(await failure(short, `cut.${format}`), `cut.${format}: is`);
    }
  }
});

Deno.test("loadImage names the file and the fault", async () => {
  const folder = await Deno.makeTempDir();
  const at = (name: string) => join(folder, name);
  await Deno.writeTextFile(at("text.jpg"), "not an image\n".repeat(20));
  await Deno.writeFile(at("empty.png"), new Uint8Array());
  assertStringIncludes(await failure(at("text.jpg")), "is not an image");
  assertStringIncludes(await failure(at("empty.png")), "has no bytes");
  assertStringIncludes(await failure(at("none.png")), "no such file");
  assertStringIncludes(await failure(folder), "is a folder");
  const svg = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><g/></svg>';
  assertStringIncludes(await failure(new TextEncoder().encode(svg), "a.svg"), "format svg");
  await Deno.remove(folder, { recursive: true });
});

Deno.test("loadImage refuses more pixels than allowed, before decoding", async () => {
  const png = await raw(gradient(20, 10)).png().toBuffer();
  assertEquals((await loadImage(png, { maxPixels: 200 })).width, 20);
  await assertRejects(() => loadImage(png, { maxPixels: 199 }), ImageError, "is 20×10, more than");
  const wide = await sharp({
    create: { width: 20_000, height: 4_000, channels: 3, background: "red" },
  }).png({ compressionLevel: 1 }).toBuffer();
  assertStringIncludes(await failure(wide, "wide.png"), "is 20000×4000, more than 67108864");
});

Deno.test("loadImage sees a file that was replaced", async () => {
  const folder = await Deno.makeTempDir();
  const path = join(folder, "a.png");
  for (const value of [1, 2]) {
    await saveImage(path, { width: 1, height: 1, data: new Uint8Array(3).fill(value) });
    assertEquals((await loadImage(path)).data[0], value);
  }
  await Deno.remove(folder, { recursive: true });
});
