import { assertEquals } from "@std/assert";
import { type Image, loadImage, resize } from "../../src/data/mod.ts";

/** What Pillow made, see tests/reference/make_images.py. */
interface Fixture {
  resize: { from: [number, number]; to: [number, number]; source: string; resized: string }[];
  decode: { name: string; width: number; height: number; file: string; rgb: string }[];
}

const fixture: Fixture = JSON.parse(
  Deno.readTextFileSync(new URL("../fixtures/images.json", import.meta.url)),
);

for (const { from, to, source, resized } of fixture.resize) {
  Deno.test(`resize ${from.join("×")} to ${to.join("×")} equals Pillow's, bit for bit`, () => {
    const data = Uint8Array.fromBase64(source);
    const image: Image = { width: from[0], height: from[1], data };
    const result = resize(image, to[0], to[1]);
    assertEquals([result.width, result.height], to);
    assertEquals(result.data, Uint8Array.fromBase64(resized));
  });
}

for (const { name, width, height, file, rgb } of fixture.decode) {
  Deno.test(`loadImage decodes as Pillow does: ${name}`, async () => {
    const image = await loadImage(Uint8Array.fromBase64(file));
    assertEquals([image.width, image.height], [width, height]);
    assertEquals(image.data, Uint8Array.fromBase64(rgb));
  });
}
