import { assertEquals } from "@std/assert";
import { layoutOf, levelsOf, translate } from "../../src/checkpoint/key_names.ts";
import type { KeyLayout } from "../../src/checkpoint/layouts.ts";
import { VAE_FAMILIES, type VaeShape, vaeShapes } from "../../src/vae/mod.ts";
import { diffusers } from "./weights.ts";

const NAMINGS: readonly [KeyLayout, boolean][] = [["diffusers", false], ["diffusers-old", true]];

for (const { name, config } of VAE_FAMILIES) {
  for (const [layout, isOld] of NAMINGS) {
    Deno.test(`${name}: every tensor has its ${layout} name, and comes back`, () => {
      const levels = config.channels.length;
      const rename = diffusers(levels, isOld);
      for (const [ldm, shape] of vaeShapes(config)) {
        const [expected, shapeThere] = rename(ldm, shape);
        const found = translate(ldm, "ldm", layout, levels);
        assertEquals(found?.name, expected);
        assertEquals(found?.isLinear, shapeThere.length < shape.length, ldm);
        assertEquals(translate(expected, layout, "ldm", levels)?.name, ldm);
      }
    });
  }
}

/** Names as they stand in published files, written down by hand. */
const PUBLISHED: readonly [string, string, string][] = [
  [
    "encoder.down.1.block.0.nin_shortcut.weight",
    "encoder.down_blocks.1.resnets.0.conv_shortcut.weight",
    "encoder.down_blocks.1.resnets.0.conv_shortcut.weight",
  ],
  [
    "decoder.up.0.block.2.conv1.bias",
    "decoder.up_blocks.3.resnets.2.conv1.bias",
    "decoder.up_blocks.3.resnets.2.conv1.bias",
  ],
  [
    "decoder.up.3.upsample.conv.weight",
    "decoder.up_blocks.0.upsamplers.0.conv.weight",
    "decoder.up_blocks.0.upsamplers.0.conv.weight",
  ],
  [
    "decoder.mid.attn_1.proj_out.weight",
    "decoder.mid_block.attentions.0.to_out.0.weight",
    "decoder.mid_block.attentions.0.proj_attn.weight",
  ],
  [
    "encoder.mid.attn_1.norm.bias",
    "encoder.mid_block.attentions.0.group_norm.bias",
    "encoder.mid_block.attentions.0.group_norm.bias",
  ],
  [
    "encoder.down.0.block.1.conv2.lora_layer.down.weight",
    "encoder.down_blocks.0.resnets.1.conv2.lora_layer.down.weight",
    "encoder.down_blocks.0.resnets.1.conv2.lora_layer.down.weight",
  ],
  ["decoder.norm_out.weight", "decoder.conv_norm_out.weight", "decoder.conv_norm_out.weight"],
];

Deno.test("names of published files with four levels", () => {
  for (const [ldm, current, old] of PUBLISHED) {
    assertEquals(translate(ldm, "ldm", "diffusers", 4)?.name, current);
    assertEquals(translate(ldm, "ldm", "diffusers-old", 4)?.name, old);
    assertEquals(translate(old, "diffusers-old", "diffusers", 4)?.name, current);
  }
});

Deno.test("names of other models are of no layout", () => {
  const others = [
    "",
    "encoder",
    "encoder.conv_in",
    "encoder.conv_in.weight.weight",
    "xencoder.conv_in.weight",
    "encoder.down.00.block.0.conv1.weight",
    "encoder.down.-1.block.0.conv1.weight",
    "encoder.down.123456.block.0.conv1.weight",
    "encoder.mid.attn_2.q.weight",
    "encoderxconv_in.weight",
    "quantize.embedding.weight",
    "encoder.conv_in.lora_layer.weight",
  ];
  for (const name of others) assertEquals(translate(name, "ldm", "diffusers", 4), undefined, name);
});

Deno.test("layout and levels are those of the names", () => {
  for (const { config } of VAE_FAMILIES) {
    const names = [...vaeShapes(config).keys()];
    const levels = config.channels.length;
    const check = (names: string[], layout: KeyLayout) => {
      assertEquals(layoutOf(names), layout);
      assertEquals(levelsOf(names, layout), levels);
    };
    check(names, "ldm");
    for (const [layout, isOld] of NAMINGS) {
      const rename = diffusers(levels, isOld);
      check(names.map((name) => rename(name, [])[0]), layout);
    }
  }
  const none: VaeShape = { ...VAE_FAMILIES[0].config, midAttention: false };
  assertEquals(layoutOf([...vaeShapes(none).keys()]), "ldm");
  assertEquals(layoutOf([]), "ldm");
  assertEquals(levelsOf(["encoder.conv_in.weight"], "ldm"), 0);
});
