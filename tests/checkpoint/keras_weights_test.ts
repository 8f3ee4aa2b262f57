import { assertEquals, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { CheckpointError, KerasWeights } from "../../src/checkpoint/mod.ts";
import { withFolder } from "../data/photos.ts";

const WEIGHTS = [
  { name: "a/kernel", shape: [1, 2, 3], dtype: "float32" },
  { name: "a/bias", shape: [3], dtype: "float32" },
];

/** A model whose nine numbers, 0 to 8, lie in shards of so many bytes. */
async function write(folder: string, weights: unknown, shards = [10, 20, 6]): Promise<void> {
  const bytes = new Uint8Array(Float32Array.from({ length: 9 }, (_, i) => i).buffer);
  const paths: string[] = [];
  let at = 0;
  for (const size of shards) {
    paths.push(`shard${paths.length}.bin`);
    await Deno.writeFile(join(folder, paths.at(-1)!), bytes.slice(at, at += size));
  }
  const model = { weightsManifest: [{ paths, weights }] };
  await Deno.writeTextFile(join(folder, "model.json"), JSON.stringify(model));
}

Deno.test("KerasWeights: tensors that lie across shards", async () => {
  await withFolder(async (folder) => {
    await write(folder, WEIGHTS);
    using weights = await KerasWeights.open(folder);
    assertEquals([weights.has("a/bias"), weights.has("b")], [true, false]);
    assertEquals([...await weights.floats("a/kernel", [1, 2, 3])], [0, 1, 2, 3, 4, 5]);
    assertEquals([...await weights.floats("a/bias", [3])], [6, 7, 8]);
    await assertRejects(() => weights.floats("b", [1]), CheckpointError, '"b" is missing');
    await assertRejects(() => weights.floats("a/bias", [4]), CheckpointError, "[3], expected [4]");
  });
});

Deno.test("KerasWeights refuses what is no such model, or is cut short", async () => {
  const open = (folder: string) => KerasWeights.open(folder);
  const cases: [unknown, number[], string][] = [
    [WEIGHTS, [10, 20], "36 bytes in all, its shards have 30"],
    [[...WEIGHTS, WEIGHTS[0]], [36], '"a/kernel" is there twice'],
    [[{ ...WEIGHTS[0], dtype: "int32" }], [36], "float32 tensors"],
    [[{ ...WEIGHTS[0], quantization: {} }], [36], "float32 tensors"],
    [[{ ...WEIGHTS[0], shape: [-1] }], [36], "float32 tensors"],
    [[null], [36], "float32 tensors"],
  ];
  for (const [weights, shards, problem] of cases) {
    await withFolder(async (folder) => {
      await write(folder, weights, shards);
      await assertRejects(() => open(folder), CheckpointError, problem);
    });
  }
  await withFolder(async (folder) => {
    await assertRejects(() => open(folder), CheckpointError, "there is no such file");
    await Deno.writeTextFile(join(folder, "model.json"), "{}");
    await assertRejects(() => open(folder), CheckpointError, "no weightsManifest");
    const outside = { weightsManifest: [{ paths: ["../shard.bin"], weights: WEIGHTS }] };
    await Deno.writeTextFile(join(folder, "model.json"), JSON.stringify(outside));
    await assertRejects(() => open(folder), CheckpointError, "files beside it");
  });
});
