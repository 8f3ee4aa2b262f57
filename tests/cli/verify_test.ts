import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { loadImage } from "../../src/data/mod.ts";
import { type Verification, verifyTokens } from "../../src/evaluate/mod.ts";
import { Tokenizer } from "../../src/tokenizer.ts";
import { readTokens, writeTokens } from "../../src/tokens/mod.ts";
import { withFolder } from "../data/photos.ts";
import { gpuTest } from "../support/gpu.ts";
import { coda } from "./program.ts";
import { writeImages, writeTokenizer } from "./tiny_tokenizer.ts";

gpuTest(
  "verify: equal tokens, changed ones, and files that cannot be compared",
  (gpu) =>
    withFolder(async (path) => {
      const [model, images, tokens] = ["model", "images", "tokens"].map((name) => join(path, name));
      await writeTokenizer(gpu, model);
      await writeImages(images, [[16, 12], [13, 17]]);
      await coda(["encode", images, "--model", model, "--out", tokens]);
      const args = ["verify", images, "--model", model, "--tokens", tokens, "-q"];
      const equal = await coda(args);
      assertEquals({ code: equal.code, stderr: equal.stderr }, { code: 0, stderr: "" });
      assertMatch(
        equal.stdout,
        /^2 images, 2 equal, 0 near ties, 0 different, 0 of \d+ tokens differ\n$/,
      );

      const file = join(tokens, "1.coda");
      const given = await readTokens(file);
      given.indices[1][0] = (given.indices[1][0] + 1) % 16;
      await writeTokens(file, given);
      await Deno.remove(join(tokens, "0.coda"));
      const changed = await coda([...args, "--tolerance", "0"]);
      assertEquals(changed.code, 1);
      assertMatch(
        changed.stdout,
        /1\.coda: different\n {2}scale 2: 1 of \d+ tokens differ, margins [\d.e-]+ to /,
      );
      assertStringIncludes(changed.stderr, "0.coda: ");
      assertStringIncludes(changed.stderr, "coda: 1 of 2 files could not be compared");
      const one = ["verify", join(images, "1.png"), "--model", model, "--tokens", file];
      const json = await coda([...one, "--json", "--tolerance", "1000"]);
      assertEquals(json.code, 0);
      const [found]: Verification[] = JSON.parse(json.stdout);
      assertEquals(found.verdict, "near ties");
      assertEquals(found.scales.map(({ differences }) => differences.length), [0, 1, 0]);
    }),
);

gpuTest(
  "verify: tokens made in half are made again so, whichever others are beside them",
  (gpu) =>
    withFolder(async (path) => {
      const [model, images, tokens] = ["model", "images", "tokens"].map((name) => join(path, name));
      await writeTokenizer(gpu, model);
      await writeImages(images, [[16, 12], [13, 17]]);
      const common = ["--model", model, "-q"];
      const [half, whole] = [0, 1].map((i) => join(images, `${i}.png`));
      await coda(["encode", half, "--out", tokens, "--half", ...common]);
      await coda(["encode", whole, "--out", tokens, ...common]);
      const [first, second] = [0, 1].map((i) => join(tokens, `${i}.coda`));
      assertEquals((await readTokens(first)).half, true);
      assertEquals((await readTokens(second)).half, undefined);

      const args = ["verify", images, "--tokens", tokens, ...common];
      const both = await coda([...args, "--json"]);
      assertEquals({ code: both.code, stderr: both.stderr }, { code: 0, stderr: "" });
      const found: Verification[] = JSON.parse(both.stdout);
      assertEquals(found.map(({ verdict }) => verdict), ["equal", "equal"]);
      assertEquals(
        found.map(({ half }) => half),
        [true, false].map((half) => ({ given: half, found: half })),
      );

      const given = await readTokens(second);
      given.indices[2][0] = (given.indices[2][0] + 1) % 16;
      await writeTokens(second, given);
      const forced = await coda([...args, "--half", "--tolerance", "1000"]);
      assertMatch(
        forced.stdout,
        /1\.coda: near ties; compared with --half, made without it, or by/,
      );
      assertEquals(forced.stdout.includes("0.coda"), false);

      using tokenizer = await Tokenizer.load(model, { gpu });
      const inWhole = await verifyTokens(tokenizer, await loadImage(half), await readTokens(first));
      assertEquals(inWhole.half, { given: true, found: false });
    }),
);
