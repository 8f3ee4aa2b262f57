import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { CheckpointError, openTensors, type TensorToStore } from "../../src/checkpoint/mod.ts";
import { withFolder } from "../data/photos.ts";
import { writeFiles } from "./weights.ts";

const INDEX = "model.safetensors.index.json";
const [FIRST, SECOND] = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];

function tensor(name: string, ...values: number[]): TensorToStore {
  return { name, shape: [values.length], data: new Float32Array(values) };
}

const GOOD = {
  [FIRST]: [tensor("a", 1, 2), tensor("b", 3)],
  [SECOND]: [tensor("c", 4), tensor("unlisted", 5)],
  [INDEX]: { metadata: { total_size: 16 }, weight_map: { c: SECOND, a: FIRST, b: FIRST } },
};

Deno.test("shards are read as one file, tensor by tensor", async () => {
  await withFolder(async (folder) => {
    await writeFiles(folder, GOOD, { metadata: { format: "pt" } });
    using file = await openTensors(join(folder, INDEX));
    assertEquals([...file.names].sort(), ["a", "b", "c"]);
    assertEquals([file.format, file.file], ["safetensors", join(folder, INDEX)]);
    assertEquals(file.metadata, { format: "pt" });
    assertEquals(await file.floats("a", [2]), new Float32Array([1, 2]));
    assertEquals((await file.tensor("c")).data, new Float32Array([4]));
    assertEquals(file.info("b").shape, [1]);
    assertEquals([file.has("c"), file.has("unlisted")], [true, false]);
    await assertRejects(
      () => file.floats("a", [3]),
      CheckpointError,
      `${FIRST}: tensor "a" has shape [2], expected [3]`,
    );
    await assertRejects(
      () => file.floats("unlisted"),
      CheckpointError,
      `${INDEX}: tensor "unlisted" is missing among the file's 3 tensors`,
    );
  });
});

Deno.test("an index that does not fit its shards is refused by name", async () => {
  for (
    const [index, message] of [
      [{}, `${INDEX}: has no "weight_map"`],
      [{ weight_map: [] }, `${INDEX}: has no "weight_map"`],
      [{ weight_map: {} }, `${INDEX}: has no "weight_map"`],
      [{ weight_map: { a: FIRST, d: SECOND } }, `${SECOND}: tensor "d" is missing, although`],
      [{ weight_map: { a: "none.safetensors" } }, "none.safetensors: there is no such file"],
      [{ weight_map: { a: `../${FIRST}` } }, `${INDEX}: names the shard`],
      [{ weight_map: { a: `${Deno.cwd()}/x` } }, `${INDEX}: names the shard`],
      [{ weight_map: { a: ".." } }, `${INDEX}: names the shard`],
      [{ weight_map: { a: INDEX } }, `${INDEX}: names the shard`],
      [{ weight_map: { a: 1 } }, `${INDEX}: names the shard`],
    ] as const
  ) {
    await withFolder(async (folder) => {
      await writeFiles(folder, { ...GOOD, [INDEX]: index as Record<string, unknown> });
      await assertRejects(() => openTensors(join(folder, INDEX)), CheckpointError, message);
    });
  }
});

Deno.test("an index that would take too much to read is refused by name", async () => {
  const map = Object.fromEntries(Array.from({ length: 65_537 }, (_, i) => [i, FIRST]));
  for (
    const [text, message] of [
      [`{"weight_map":${"[".repeat(1e5)}`, "it is nested over 32 deep"],
      [JSON.stringify({ weight_map: map }), "has 65537 tensors, at most 65536 are read"],
      [" ".repeat(2 ** 24 + 1), "it has 16777217 bytes, at most 16777216 are read"],
    ] as const
  ) {
    await withFolder(async (folder) => {
      const path = join(folder, INDEX);
      await Deno.writeTextFile(path, text);
      const error = await assertRejects(() => openTensors(path), CheckpointError, message);
      assertStringIncludes(error.message, `${path}: `);
    });
  }
});

Deno.test("a pointer of Git LFS is told for what it is", async () => {
  await withFolder(async (folder) => {
    const path = join(folder, "vae.safetensors");
    await Deno.writeTextFile(path, "version https://git-lfs.github.com/spec/v1\noid sha256:0\n");
    await assertRejects(() => openTensors(path), CheckpointError, "is a Git LFS pointer");
  });
});

Deno.test("a web page is told for what it is, whatever its name", async () => {
  await withFolder(async (folder) => {
    for (const name of ["vae.safetensors", "vae.pth"]) {
      const path = join(folder, name);
      await Deno.writeTextFile(path, "\n<!DOCTYPE html><html><body>Sign in</body></html>");
      await assertRejects(() => openTensors(path), CheckpointError, "is a web page");
    }
  });
});
