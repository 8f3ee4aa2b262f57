import { assertEquals } from "@std/assert";
import { Tokenizer } from "../../src/tokenizer.ts";
import { gpuTest } from "../support/gpu.ts";

/** A picture with edges, gradients and grain. */
function picture(width: number, height: number) {
  const data = Uint8Array.from({ length: width * height * 3 }, (_, i) => {
    const [x, y] = [Math.floor(i / 3) % width, Math.floor(i / 3 / width)];
    const stripe = (x + 2 * y) % 97 < 40 ? 90 : 0;
    return (stripe + x / 6 + y / 8 + (i % 3) * 20 + (i * 2654435761) % 17) % 256;
  });
  return { width, height, data };
}

gpuTest(
  "768×512 with the tokenizer that ships: in bands the tokens and pixels of the whole",
  async (gpu) => {
    const image = picture(768, 512);
    using whole = await Tokenizer.load(undefined, { gpu });
    const tokens = await whole.encode(image);
    const decoded = await whole.decode(tokens);
    const { path, bytes } = whole.plan("encode", image);
    assertEquals(path, "whole");
    {
      using small = await Tokenizer.load(undefined, { memoryBytes: 0.3 * bytes });
      assertEquals(small.plan("encode", image).path, "host");
      assertEquals(await small.encode(image), tokens);
    }
    using small = await Tokenizer.load(undefined, { memoryBytes: 0.6 * bytes });
    assertEquals(small.plan("decode", image).path, "host");
    assertEquals(await small.decode(tokens), decoded);
  },
);
