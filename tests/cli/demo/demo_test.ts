import { assertEquals, assertStringIncludes } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { withFolder } from "../../data/photos.ts";
import { gpuTest } from "../../support/gpu.ts";
import { coda, runFile } from "../program.ts";
import { contents, writeImages } from "../tiny_tokenizer.ts";

Deno.test("demo: a folder that cannot be written ends it at once", async () => {
  await withFolder(async (path) => {
    await Deno.writeTextFile(join(path, "file"), "");
    const out = join(path, "file", "demo");
    assertEquals(await coda(["demo", "--photos", path, "--out", out]), {
      code: 1,
      stdout: "",
      stderr: `coda: cannot write ${out}: ${out} is not a folder; choose another path\n`,
    });
  });
});

gpuTest("demo: too few photographs are told before any training", () =>
  withFolder(async (path) => {
    const photos = join(path, "photos");
    const out = join(path, "out");
    await writeImages(photos, [[96, 72], [96, 72]]);
    const { code, stdout, stderr } = await coda(["demo", "--photos", photos, "--out", out]);
    assertEquals({ code, stdout }, { code: 1, stdout: "" });
    assertStringIncludes(stderr, `coda: ${photos}: 2 photographs can be used, the demo needs`);
    assertEquals(await contents(out), {});
  }));

gpuTest(
  "demo: a built-in model that cannot be read is told before any training",
  () =>
    withFolder(async (path) => {
      const photos = join(path, "photos");
      const sizes = Array.from({ length: 8 }, () => [96, 72] as const);
      await writeImages(photos, sizes);
      const built = fromFileUrl(new URL("../../../models/tiny-coda-f8", import.meta.url));
      const { code, stdout, stderr } = await runFile(
        "src/cli/main.ts",
        ["demo", "--photos", photos, "--out", join(path, "out"), "--seconds", "10"],
        { permissions: ["--allow-all", `--deny-read=${built}`] },
      );
      assertEquals({ code, stdout }, { code: 1, stdout: "" });
      assertStringIncludes(stderr, "coda: built-in tiny-coda-f8/");
    }),
);
