import { assertEquals, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { UsageError } from "../../src/cli/errors.ts";
import { namedFiles, namedImages, planOutputs } from "../../src/cli/outputs.ts";
import { WriteError } from "../../src/checkpoint/mod.ts";
import { withFolder } from "../data/photos.ts";

const CODA = { extensions: [".coda"], extension: ".coda" };

Deno.test("outputs: a folder's images keep their places, files their names, each comes once", async () => {
  await withFolder(async (path) => {
    await Deno.mkdir(join(path, "in/deep"), { recursive: true });
    for (const name of ["in/a.jpg", "in/deep/b.c.png", "in/c.txt"]) {
      await Deno.writeTextFile(join(path, name), "");
    }
    const { images, errors } = await namedImages([
      join(path, "none"),
      join(path, "in"),
      join(path, "in/a.jpg"),
      join(path, "in/c.txt"),
    ]);
    assertEquals(errors.map(({ file }) => file), [join(path, "none")]);
    assertEquals(images.map(({ name }) => name), ["a", join("deep", "b.c"), "c"]);
    const out = join(path, "out");
    const jobs = await planOutputs(images, { ...CODA, out });
    assertEquals(jobs.map(({ output }) => output), [
      join(out, "a.coda"),
      join(out, "deep", "b.c.coda"),
      join(out, "c.coda"),
    ]);
    assertEquals((await Deno.stat(join(out, "deep"))).isDirectory, true);
  });
});

Deno.test("outputs: --out may be a file for one input, and for one only", async () => {
  await withFolder(async (path) => {
    const out = join(path, "new/x.CODA");
    const [job] = await planOutputs(namedFiles(["a.jpg"]), { ...CODA, out });
    assertEquals(job, { input: "a.jpg", output: out });
    await assertRejects(
      () => planOutputs(namedFiles(["a.jpg", "b.jpg"]), { ...CODA, out }),
      UsageError,
      "one file for 2 inputs",
    );
  });
});

Deno.test("outputs: two inputs that would become one file stop everything", async () => {
  await withFolder(async (path) => {
    const out = join(path, "out");
    await assertRejects(
      () => planOutputs(namedFiles(["x/a.jpg", "y/b.jpg", "y/a.png"]), { ...CODA, out }),
      UsageError,
      `x/a.jpg and y/a.png would both become ${join(out, "a.coda")}`,
    );
    await assertRejects(() => Deno.stat(out), Deno.errors.NotFound);
  });
});

Deno.test("outputs: an input is never overwritten", async () => {
  await assertRejects(
    () => planOutputs(namedFiles(["a.coda"]), { ...CODA, out: undefined }),
    UsageError,
    "a.coda would be overwritten",
  );
});

Deno.test("outputs: a folder that cannot be made is told", async () => {
  await withFolder(async (path) => {
    await Deno.writeTextFile(join(path, "file"), "");
    await assertRejects(
      () => planOutputs(namedFiles(["a.jpg"]), { ...CODA, out: join(path, "file") }),
      WriteError,
      "is not a folder",
    );
  });
});

Deno.test("outputs: a folder is not made of a file's name, but may have it", async () => {
  await withFolder(async (path) => {
    const out = join(path, "a.GIF");
    const options = { out, extensions: [".png", ".jpg"], extension: ".png" };
    await assertRejects(
      () => planOutputs(namedFiles(["a.coda"]), options),
      UsageError,
      `--out ${out} is named like a file, which ends in .png, .jpg here`,
    );
    await assertRejects(() => Deno.stat(out), Deno.errors.NotFound);
    await Deno.mkdir(out);
    const [job] = await planOutputs(namedFiles(["a.coda"]), options);
    assertEquals(job.output, join(out, "a.png"));
    const version = await planOutputs(namedFiles(["a.coda"]), { ...options, out: `${path}/v1.2` });
    assertEquals(version[0].output, join(path, "v1.2", "a.png"));
  });
});
