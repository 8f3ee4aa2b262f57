import { assertEquals, assertThrows } from "@std/assert";
import { inferVaeConfig, type ShapeSource, vaeConfig, vaeConfigToJson } from "../../src/vae/mod.ts";

/** The shapes of an autoencoder with three levels and attention in the last encoder level. */
function shapes(): Map<string, number[]> {
  const all = new Map<string, number[]>();
  all.set("encoder.conv_in.weight", [32, 3, 3, 3]);
  [32, 32, 64].forEach((channels, i) => {
    all.set(`encoder.down.${i}.block.0.conv1.weight`, [channels, 32, 3, 3]);
    all.set(`encoder.down.${i}.block.1.conv1.weight`, [channels, channels, 3, 3]);
  });
  all.set("encoder.down.2.attn.0.q.weight", [64, 64, 1, 1]);
  all.set("encoder.mid.attn_1.q.weight", [64, 64, 1, 1]);
  all.set("decoder.conv_in.weight", [64, 8, 3, 3]);
  all.set("quant_conv.weight", [16, 16, 1, 1]);
  return all;
}

function source(all: Map<string, number[]>): ShapeSource {
  return {
    file: "vae.safetensors",
    names: [...all.keys()],
    has: (name) => all.has(name),
    info: (name) => ({ shape: all.get(name)! }),
  };
}

const INFERRED = {
  inChannels: 3,
  channels: [32, 32, 64],
  blocksPerLevel: 2,
  latentChannels: 8,
  normGroups: 32,
  midAttention: true,
  encoderAttentionLevels: [2],
  quantConv: true,
  postQuantConv: false,
  scale: 1,
  shift: 0,
};

Deno.test("the weights alone say everything but groups and scale", () => {
  assertEquals(inferVaeConfig(source(shapes())), INFERRED);
});

Deno.test("config.json goes over what the weights say, and survives a round trip", () => {
  const json = { norm_num_groups: 8, scaling_factor: 1.5, shift_factor: -0.25 };
  const config = vaeConfig(json, source(shapes()));
  assertEquals(config, { ...INFERRED, normGroups: 8, scale: 1.5, shift: -0.25 });
  assertEquals(vaeConfig(vaeConfigToJson(config), source(shapes())), config);
});

Deno.test("a null shift_factor, as diffusers writes it, is none", () => {
  assertEquals(vaeConfig({ shift_factor: null }, source(shapes())).shift, 0);
});

Deno.test("a file that is no autoencoder, and a field of the wrong kind, are named", () => {
  assertThrows(
    () => inferVaeConfig(source(new Map())),
    TypeError,
    "vae.safetensors: tensor decoder.conv_in.weight is missing: expected an autoencoder in LDM",
  );
  const diffusers = new Map([
    ["encoder.conv_in.weight", [32, 3, 3, 3]],
    ["encoder.down_blocks.0.resnets.0.conv1.weight", [32, 32, 3, 3]],
    ["decoder.conv_in.weight", [64, 8, 3, 3]],
  ]);
  assertThrows(
    () => inferVaeConfig(source(diffusers)),
    TypeError,
    "tensor encoder.down.0.block.0.conv1.weight is missing: expected an autoencoder in LDM",
  );
  assertThrows(
    () => vaeConfig({ block_out_channels: "32" }, source(shapes())),
    TypeError,
    '"block_out_channels" is "32", expected a list of whole numbers',
  );
});

Deno.test("a configuration that is impossible, or not the weights', is an error", () => {
  for (
    const [json, message] of [
      [{ norm_num_groups: 0 }, '"norm_num_groups" is 0, expected a whole number from 1 up'],
      [{ norm_num_groups: 3 }, "expected a divisor of every level's channels, 32 among them"],
      [{ block_out_channels: [] }, "expected a list of whole numbers from 1 up"],
      [{ scaling_factor: 0 }, '"scaling_factor" is 0'],
      [{ block_out_channels: [32, 32] }, "but vae.safetensors has [32,32,64]"],
      [{ block_out_channels: [32, 1e6, 64] }, "but vae.safetensors has [32,32,64]"],
      [{ layers_per_block: 1 }, '"layers_per_block" is 1, but vae.safetensors has 2'],
      [{ latent_channels: 4 }, '"latent_channels" is 4, but vae.safetensors has 8'],
      [{ in_channels: 1 }, '"in_channels" is 1, but vae.safetensors has 3'],
    ] as const
  ) {
    assertThrows(() => vaeConfig(json, source(shapes()), "a/config.json"), TypeError, message);
  }
});
