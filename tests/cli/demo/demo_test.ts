import { assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { withFolder } from "../../data/photos.ts";
import { gpuTest } from "../../support/gpu.ts";
import { coda } from "../program.ts";
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
