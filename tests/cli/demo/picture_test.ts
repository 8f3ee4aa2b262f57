import { assertEquals, assertThrows } from "@std/assert";
import { textPixels, textWidth } from "../../../src/cli/work/demo/font.ts";
import { picture } from "../../../src/cli/work/demo/picture.ts";
import { pattern } from "../tiny_tokenizer.ts";

/** A text as rows of # and spaces. */
function drawn(text: string): string[] {
  const rows = Array.from({ length: 9 }, () => Array(textWidth(text)).fill(" "));
  for (const { x, y } of textPixels(text)) rows[y][x] = "#";
  return rows.map((row) => row.join("").trimEnd());
}

Deno.test("font: glyphs stand side by side on one line", () => {
  assertEquals(drawn("dB 1g"), [
    "    # ####          #",
    "    # #   #        ##",
    " #### #   #         #    ####",
    "#   # ####          #   #   #",
    "#   # #   #         #   #   #",
    "#   # #   #         #   #   #",
    " #### ####         ###   ####",
    "                            #",
    "                         ###",
  ]);
});

Deno.test("font: every glyph is 5 wide and 9 high, no two are alike; others are refused", () => {
  const all = " -.0123456789ABEVabcdefghijklmnopqrstuvwxyz";
  assertEquals(new Set([...all].map((glyph) => drawn(glyph).join("\n"))).size, all.length);
  for (const glyph of all) {
    for (const { x, y } of textPixels(glyph)) assertEquals(x < 5 && y < 9, true, glyph);
  }
  assertThrows(() => [...textPixels("é")], RangeError, 'the font has no "é"');
});

Deno.test("picture: every image stands whole in its row and column", () => {
  const images = [3, 5, 7, 11].map((step) => pattern(40, 20, step));
  const panel = (i: number) => ({ image: images[i], caption: "1.5 dB" });
  const { width, height, data } = picture(["a", "b"], [[panel(0), panel(1)], [panel(2), panel(3)]]);
  assertEquals(data.length, width * height * 3);
  const places = images.map((image) => find(image));
  const [a, b, c, d] = places;
  assertEquals([a.x, a.y], [c.x, b.y]);
  assertEquals([b.x, c.y], [d.x, d.y]);
  assertEquals(b.x >= a.x + 40 && c.y >= a.y + 20, true);

  /** The only place where an image is found in the picture. */
  function find(image: { data: Uint8Array }): { x: number; y: number } {
    const found: { x: number; y: number }[] = [];
    for (let y = 0; y + 20 <= height; y++) {
      for (let x = 0; x + 40 <= width; x++) {
        const isHere = image.data.every((byte, i) =>
          byte === data[((y + Math.floor(i / 120)) * width + x) * 3 + i % 120]
        );
        if (isHere) found.push({ x, y });
      }
    }
    assertEquals(found.length, 1);
    return found[0];
  }
});

Deno.test("picture: a text beyond the paper's edge is cut off", () => {
  const image = pattern(20, 20);
  const { width } = picture(["a very long title"], [[{ image, caption: "1234567890" }]]);
  assertEquals(width, 36);
});
