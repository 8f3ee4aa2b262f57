import { assertEquals, assertRejects } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { CheckpointError, loadVae } from "../../src/checkpoint/mod.ts";
import { withFolder } from "../data/photos.ts";
import { flat, gpuTest } from "../support/gpu.ts";

gpuTest("loadVae: the embedded VAE is the one in its folder", async (gpu) => {
  await flat(gpu, async () => {
    using embedded = await loadVae(gpu);
    const folder = fromFileUrl(new URL("../../models/tiny-kl-f8", import.meta.url));
    using read = await loadVae(gpu, folder);
    assertEquals(embedded.config, read.config);
    const [a, b] = await Promise.all([embedded, read].map((vae) => vae.parameters.weights()));
    assertEquals(a, b);
  });
});

gpuTest("loadVae: a config of the wrong kind is the error of config.json", async (gpu) => {
  const folder = new URL("../../models/tiny-kl-f8/", import.meta.url);
  await withFolder(async (path) => {
    const file = join(path, "config.json");
    await Deno.copyFile(
      new URL("model.safetensors", folder),
      join(path, "model.safetensors"),
    );
    await Deno.writeTextFile(file, '{"norm_num_groups":"eight"}');
    const error = await assertRejects(() => loadVae(gpu, path), CheckpointError);
    assertEquals(error.file, file);
    assertEquals(error.message.includes('"norm_num_groups" is "eight"'), true, error.message);
  });
});
