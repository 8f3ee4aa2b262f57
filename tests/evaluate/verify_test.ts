import { assert, assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { verifyTokens } from "../../src/evaluate/mod.ts";
import { Tokenizer } from "../../src/tokenizer.ts";
import { TokenFileError, type Tokens } from "../../src/tokens/mod.ts";
import { pattern, writeTokenizer } from "../cli/tiny_tokenizer.ts";
import { withFolder } from "../data/photos.ts";
import { gpuTest } from "../support/gpu.ts";

gpuTest(
  "verifyTokens: which tokens differ, by which margin, and what that means",
  (gpu) =>
    withFolder(async (folder) => {
      await writeTokenizer(gpu, join(folder, "model"));
      using tokenizer = await Tokenizer.load(join(folder, "model"), { gpu });
      const image = pattern(18, 11);
      const { tokens, margins } = await tokenizer.encodeWithMargins(image);
      assertEquals(tokens, await tokenizer.encode(image));
      assertEquals(margins.map(({ length }) => length), tokens.indices.map(({ length }) => length));
      const same = await verifyTokens(tokenizer, image, tokens);
      assertEquals(same.verdict, "equal");
      assertEquals(
        same.scales.map(({ leastMargin }) => leastMargin),
        margins.map((m) => Math.min(...m)),
      );

      /** The tokens with another code at a place of a scale. */
      const changed = (base: Tokens, scale: number, at: number, by = 1): Tokens => ({
        ...base,
        indices: base.indices.map((codes, s) =>
          s === scale ? codes.map((code, i) => i === at ? (code + by) % 16 : code) : codes
        ),
      });
      const { width } = tokens.grids[1];
      const last = tokens.indices[1].length - 1;
      const other = changed(changed(tokens, 1, last), 2, 0);
      const [{ margin }] = (await verifyTokens(tokenizer, image, other)).scales[1].differences;
      const at = (tolerance: number) => verifyTokens(tokenizer, image, other, { tolerance });
      const found = await at(margin / 2);
      assertEquals(found.verdict, "different");
      assertEquals(found.scales.map(({ differences }) => differences.length), [0, 1, 1]);
      assertEquals(found.scales[1].differences, [{
        row: Math.floor(last / width),
        column: last % width,
        given: (tokens.indices[1][last] + 1) % 16,
        found: tokens.indices[1][last],
        margin,
      }]);
      assert(margin > 0);
      // The later scale's margin does not count: it quantizes what the first one left over.
      assertEquals((await at(margin)).verdict, "near ties");

      // Only a code that nearly ties is one that another adapter may choose.
      const marginsOfOthers: number[] = [];
      for (let by = 1; by < 16; by++) {
        const tolerance = margins[1][last] + 1e-5;
        const { verdict, scales } = await verifyTokens(
          tokenizer,
          image,
          changed(tokens, 1, last, by),
          { tolerance },
        );
        const [{ margin }] = scales[1].differences;
        marginsOfOthers.push(margin);
        assertEquals(verdict, margin <= tolerance ? "near ties" : "different");
      }
      marginsOfOthers.sort((a, b) => a - b);
      assertAlmostEquals(marginsOfOthers[0], margins[1][last], 1e-5);
      assert(marginsOfOthers[1] > marginsOfOthers[0] + 1e-4);

      const prefix = {
        ...tokens,
        grids: tokens.grids.slice(0, 2),
        indices: tokens.indices.slice(0, 2),
      };
      assertEquals((await verifyTokens(tokenizer, image, prefix)).scales.length, 2);
      const text = "the tokens are of an image of 18×11, this one is 11×18";
      await assertRejects(() => verifyTokens(tokenizer, pattern(11, 18), tokens), RangeError, text);
      const foreign = { ...tokens, modelId: "0".repeat(32) };
      await assertRejects(() => verifyTokens(tokenizer, image, foreign), TokenFileError, "model");
    }),
);
