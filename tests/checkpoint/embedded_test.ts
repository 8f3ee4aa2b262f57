import { assertEquals, assertRejects } from "@std/assert";
import { openEmbedded } from "../../src/checkpoint/embedded.ts";
import { CheckpointError } from "../../src/checkpoint/mod.ts";

Deno.test("openEmbedded: a model of the package, read whole", async () => {
  const { config, weights } = await openEmbedded("tiny-kl-f8");
  assertEquals(config.latent_channels, 16);
  assertEquals(weights.info("decoder.conv_in.weight").shape, [64, 16, 3, 3]);
});

Deno.test("openEmbedded: a model that is not there is an error that says what to do", async () => {
  await assertRejects(
    () => openEmbedded("no-such"),
    CheckpointError,
    "install it again or name a model's folder",
  );
});
