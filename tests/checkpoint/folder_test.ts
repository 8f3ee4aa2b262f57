import { assertEquals, assertRejects } from "@std/assert";
import { dirname, join } from "@std/path";
import { CheckpointError } from "../../src/checkpoint/mod.ts";
import { findFiles } from "../../src/checkpoint/folder.ts";
import type { WeightsKind } from "../../src/checkpoint/parts.ts";
import { withFolder } from "../data/photos.ts";

/** Finds the weight files in a folder of empty files with these names. */
async function found(
  names: readonly string[],
  { kind = "ema", below = "" }: { kind?: WeightsKind; below?: string } = {},
): Promise<{ weights: string[]; config: string | undefined }> {
  const result: { weights: string[]; config: string | undefined }[] = [];
  await withFolder(async (folder) => {
    for (const name of names) {
      await Deno.mkdir(dirname(join(folder, name)), { recursive: true });
      await Deno.writeTextFile(join(folder, name), "");
    }
    const inner = (path: string) => path.slice(folder.length + 1);
    const { weights, config } = await findFiles(join(folder, below), kind);
    result.push({ weights: weights.map(inner), config: config && inner(config) });
  });
  return result[0];
}

const OFFICIAL = [
  "vae.pth",
  "vae_ema.pth",
  "quantizer.pth",
  "quantizer_ema.pth",
  "discriminator.pth",
];

Deno.test("an official folder's moving averages are taken, or the others where asked", async () => {
  assertEquals((await found(OFFICIAL)).weights, ["vae_ema.pth", "quantizer_ema.pth"]);
  assertEquals((await found(OFFICIAL, { kind: "trained" })).weights, ["vae.pth", "quantizer.pth"]);
  const without = OFFICIAL.filter((name) => !name.includes("ema"));
  assertEquals((await found(without)).weights, ["vae.pth", "quantizer.pth"]);
  assertEquals((await found(["vae.pth"])).weights, ["vae.pth"]);
  assertEquals((await found([...OFFICIAL, "vae_ema.safetensors"])).weights, [
    "vae_ema.safetensors",
    "quantizer_ema.pth",
  ]);
});

Deno.test("a folder's one weight file is found, whatever its name and format", async () => {
  for (const name of ["ae.safetensors", "kl16.ckpt", "x.bin", "y.pt", "z.pth"]) {
    assertEquals(await found([name, "README.md", ".hidden.safetensors"]), {
      weights: [name],
      config: undefined,
    });
  }
});

Deno.test("of several files the one that is meant is found", async () => {
  const weights = async (...names: string[]) => (await found(names)).weights;
  const diffusers = "diffusion_pytorch_model";
  assertEquals(
    await weights(
      ...[`${diffusers}.safetensors`, `${diffusers}.fp16.safetensors`, `${diffusers}.bin`],
      `${diffusers}.fp16.bin`,
    ),
    [`${diffusers}.safetensors`],
  );
  assertEquals(await weights("model.safetensors", "training.safetensors"), ["model.safetensors"]);
  assertEquals(await weights("a.safetensors", "a.fp16.safetensors"), ["a.safetensors"]);
  assertEquals(await weights("a.fp16.safetensors"), ["a.fp16.safetensors"]);
  assertEquals(await weights("a.v2.safetensors", "b.bin"), ["a.v2.safetensors"]);
  const shards = ["m-00001-of-00002.safetensors", "m-00002-of-00002.safetensors"];
  assertEquals(await weights(...shards, "m.safetensors.index.json"), ["m.safetensors.index.json"]);
  await assertRejects(
    () => found(["a.safetensors", "b.safetensors", "c.bin"]),
    CheckpointError,
    "holds 2 .safetensors files (a.safetensors, b.safetensors); name one of them",
  );
});

Deno.test("a diffusers folder's autoencoder is in vae/", async () => {
  const inner = ["vae/config.json", "vae/diffusion_pytorch_model.safetensors"];
  const expected = { weights: [inner[1]], config: inner[0] };
  assertEquals(await found(["model_index.json", "flux1-dev.safetensors", ...inner]), expected);
  assertEquals(await found(["README.md", ...inner]), expected);
  assertEquals(await found(inner, { below: "vae" }), expected);
  assertEquals(await found(inner, { below: inner[1] }), expected);
});

Deno.test("where there is nothing to read, that is told", async () => {
  await assertRejects(() => found(["README.md"]), CheckpointError, "holds no weight file");
  await assertRejects(
    () => found(["a.bin"], { below: "none" }),
    CheckpointError,
    "none: there is no such file or folder; check the path",
  );
});
