import { assertEquals, assertThrows } from "@std/assert";
import {
  inferVaeConfig,
  inferVaeShape,
  isUnmeasured,
  type ShapeSource,
  unmeasured,
  VAE_FAMILIES,
  vaeConfig,
  vaeConfigToJson,
  type VaeHints,
  vaeShapes,
} from "../../src/vae/mod.ts";

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

function source(all: ReadonlyMap<string, readonly number[]>): ShapeSource {
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
};

/** The shapes of a family's autoencoder, its channels divided by `by`. */
function family(name: string, by = 1): ShapeSource {
  const { config } = VAE_FAMILIES.find((family) => family.name === name)!;
  return source(vaeShapes({ ...config, channels: config.channels.map((count) => count / by) }));
}

Deno.test("the weights alone say everything but groups and scale", () => {
  assertEquals(inferVaeShape(source(shapes())), INFERRED);
});

Deno.test("a published family's weights say its whole configuration", () => {
  // Families of one shape cannot be told apart by it: the first of the table is taken.
  const first = ["MAR KL-16", "FLUX.1", "Stable Diffusion 1.x"];
  for (const { name, config } of VAE_FAMILIES) {
    const found = inferVaeConfig(family(name));
    if (first.includes(name)) assertEquals(found, config, name);
    else assertEquals({ ...found, scale: config.scale, shift: config.shift }, config, name);
  }
});

Deno.test("scale and shift of another width are those of the family", () => {
  const { scale, shift } = VAE_FAMILIES.find(({ name }) => name === "FLUX.1")!.config;
  const found = inferVaeConfig(family("FLUX.1", 4));
  assertEquals({ scale: found.scale, shift: found.shift }, { scale, shift });
});

Deno.test("of families of one shape the likeliest is the one that is said to be", () => {
  const families = VAE_FAMILIES.filter(({ name }) => name === "Stable Diffusion 3");
  const { scale, shift } = vaeConfig({}, family("FLUX.1"), "config.json", { families });
  assertEquals({ scale, shift }, { scale: 1.5305, shift: 0.0609 });
});

Deno.test("a scale that is told goes over config.json; a family's brings its shift", () => {
  const weights = family("FLUX.1");
  const told = (json: Record<string, unknown>, hints: { scale?: number; shift?: number }) => {
    const { scale, shift } = vaeConfig(json, weights, "config.json", hints);
    return [scale, shift];
  };
  assertEquals(told({}, {}), [0.3611, 0.1159]);
  assertEquals(told({}, { scale: 1.5305 }), [1.5305, 0.0609]);
  assertEquals(told({}, { scale: 2 }), [2, 0]);
  assertEquals(told({}, { shift: 0.5 }), [0.3611, 0.5]);
  assertEquals(told({ scaling_factor: 3, shift_factor: 4 }, { scale: 2 }), [2, 4]);
  assertEquals(told({ scaling_factor: 0.3611 }, {}), [0.3611, 0]);
  assertEquals(told({ scaling_factor: 0.3611, shift_factor: null }, {}), [0.3611, 0]);
});

Deno.test("where nothing says the scale, it is asked for", () => {
  const message = "vae.safetensors: is of no published family (channels 32, 32, 64, 2 blocks a " +
    "level, 8 latent channels), so nothing says by what its latent is scaled and shifted: " +
    "say it with --scale and --shift, or as scaling_factor";
  assertThrows(() => inferVaeConfig(source(shapes())), TypeError, message);
  assertThrows(() => vaeConfig({}, source(shapes())), TypeError, message);
  const { scale, shift } = vaeConfig({}, source(shapes()), "config.json", { scale: 2 });
  assertEquals([scale, shift], [2, 0]);
});

Deno.test("a scale that is still to be measured is no family's, and may be said", () => {
  const { config } = VAE_FAMILIES.find(({ name }) => name === "FLUX.1")!;
  const json = unmeasured(vaeConfigToJson(config));
  assertEquals([isUnmeasured(json), isUnmeasured(vaeConfigToJson(config))], [true, false]);
  const message = "a/config.json: is of a VAE before the end of its training, where";
  const read = (hints?: VaeHints) => vaeConfig(json, family("FLUX.1"), "a/config.json", hints);
  assertThrows(read, TypeError, message);
  assertThrows(() => read({ shift: 1 }), TypeError, message);
  assertEquals(read({ scale: 2, shift: 3 }), { ...config, scale: 2, shift: 3 });
});

Deno.test("config.json goes over what the weights say, and survives a round trip", () => {
  const json = { norm_num_groups: 8, scaling_factor: 1.5, shift_factor: -0.25 };
  const config = vaeConfig(json, source(shapes()));
  assertEquals(config, { ...INFERRED, normGroups: 8, scale: 1.5, shift: -0.25 });
  assertEquals(vaeConfig(vaeConfigToJson(config), source(shapes())), config);
});

Deno.test("diffusers' own config.json is honoured", () => {
  // That of FLUX.1-dev's vae folder.
  const json = {
    _class_name: "AutoencoderKL",
    _diffusers_version: "0.30.0.dev0",
    act_fn: "silu",
    block_out_channels: [128, 256, 512, 512],
    down_block_types: Array(4).fill("DownEncoderBlock2D"),
    force_upcast: true,
    in_channels: 3,
    latent_channels: 16,
    latents_mean: null,
    latents_std: null,
    layers_per_block: 2,
    mid_block_add_attention: true,
    norm_num_groups: 32,
    out_channels: 3,
    sample_size: 1024,
    scaling_factor: 0.3611,
    shift_factor: 0.1159,
    up_block_types: Array(4).fill("UpDecoderBlock2D"),
    use_post_quant_conv: false,
    use_quant_conv: false,
  };
  const { config } = VAE_FAMILIES.find(({ name }) => name === "FLUX.1")!;
  assertEquals(vaeConfig(json, family("FLUX.1")), config);
});

Deno.test("attention in the encoder is read from down_block_types", () => {
  const types = [...Array(4).fill("DownEncoderBlock2D"), "AttnDownEncoderBlock2D"];
  const { config } = VAE_FAMILIES[0];
  assertEquals(vaeConfig({ down_block_types: types }, family("MAR KL-16")), config);
  assertThrows(
    () => vaeConfig({ down_block_types: types.with(4, types[0]) }, family("MAR KL-16")),
    TypeError,
    '"encoder_attention_levels" is [], but vae.safetensors has [4]',
  );
});

Deno.test("what config.json asks for and no autoencoder here has is an error", () => {
  for (
    const [json, message] of [
      [{ _class_name: "AutoencoderTiny" }, '"_class_name" is "AutoencoderTiny", expected'],
      [{ act_fn: "relu" }, '"act_fn" is "relu", expected "silu"'],
      [{ out_channels: 4 }, '"out_channels" is 4, expected 3, as many as go in'],
      [{ up_block_types: ["AttnUpDecoderBlock2D"] }, "expected no attention in the decoder"],
      [{ latents_mean: [0.1] }, '"latents_mean" is [0.1], expected null'],
    ] as const
  ) {
    assertThrows(() => vaeConfig(json, family("FLUX.1"), "a/config.json"), TypeError, message);
  }
});

Deno.test("a file that is no autoencoder, and a field of the wrong kind, are named", () => {
  assertThrows(
    () => inferVaeConfig(source(new Map())),
    TypeError,
    "vae.safetensors: tensor decoder.conv_in.weight is missing: the file is no autoencoder",
  );
  assertThrows(
    () => inferVaeConfig({ ...source(new Map()), nameInFile: (name) => `vae.${name}` }),
    TypeError,
    "vae.safetensors: tensor vae.decoder.conv_in.weight is missing",
  );
  assertThrows(
    () => vaeConfig({ block_out_channels: "32" }, source(shapes())),
    TypeError,
    '"block_out_channels" is "32", expected a list of whole numbers',
  );
});

Deno.test("a network deeper than any is not built on the word of a file's names", () => {
  const all = new Map(shapes());
  const shape = all.get("encoder.down.0.block.0.conv1.weight")!;
  for (let j = 0; j < 9999; j++) all.set(`encoder.down.0.block.${j}.conv1.weight`, shape);
  assertEquals(inferVaeShape(source(all)).blocksPerLevel, 64);
});

Deno.test("a convolution of another kind is told by its shape", () => {
  const all = new Map(shapes()).set("decoder.conv_in.weight", [32, 8, 3]);
  assertThrows(
    () => inferVaeConfig(source(all)),
    TypeError,
    "tensor decoder.conv_in.weight has shape [32, 8, 3], expected a convolution's",
  );
});

Deno.test("a configuration that is impossible, or not the weights', is an error", () => {
  for (
    const [json, message] of [
      [{ norm_num_groups: 0 }, '"norm_num_groups" is 0, expected a whole number from 1 up'],
      [{ norm_num_groups: 3 }, "expected a divisor of every level's channels, 32 among them"],
      [{ block_out_channels: [] }, "expected a list of whole numbers from 1 up"],
      [{ scaling_factor: 0 }, "a/config.json: the scale is 0"],
      [{ scaling_factor: "1" }, '"scaling_factor" is "1", expected a number'],
      [{ block_out_channels: [32, 32] }, "but vae.safetensors has [32,32,64]"],
      [{ block_out_channels: [32, 1e6, 64] }, "but vae.safetensors has [32,32,64]"],
      [{ layers_per_block: 1 }, '"layers_per_block" is 1, but vae.safetensors has 2'],
      [{ latent_channels: 4 }, '"latent_channels" is 4, but vae.safetensors has 8'],
      [{ in_channels: 1 }, '"in_channels" is 1, but vae.safetensors has 3'],
      [{ use_quant_conv: false }, '"use_quant_conv" is false, but vae.safetensors has true'],
      [{ mid_block_add_attention: false }, '"mid_block_add_attention" is false, but vae'],
      [{ encoder_attention_levels: [1] }, "but vae.safetensors has [2]"],
      [
        { encoder_attention_levels: [2, 3] },
        '"encoder_attention_levels" is [2,3], expected levels',
      ],
      [{ layers_per_block: 1e9 }, '"layers_per_block" is 1000000000, expected a whole number from'],
      [{ block_out_channels: Array(65).fill(32) }, "expected a list of whole numbers from 1 up"],
      [{ down_block_types: [{}] }, '"down_block_types" is [{}], expected a list of texts'],
      [{ up_block_types: "Attn" }, '"up_block_types" is "Attn", expected a list of texts'],
    ] as const
  ) {
    assertThrows(() => vaeConfig(json, source(shapes()), "a/config.json"), TypeError, message);
  }
});
