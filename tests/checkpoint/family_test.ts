import { assertEquals } from "@std/assert";
import { guessFamily } from "../../src/checkpoint/family.ts";
import { encodeSafetensors, SafetensorsFile } from "../../src/checkpoint/mod.ts";
import { VAE_FAMILIES } from "../../src/vae/mod.ts";

const shapeOf = (name: string) => VAE_FAMILIES.find((family) => family.name === name)!.config;

/** The family that an autoencoder of this one's shape is taken for, and why. */
function guess(
  family: string,
  file: string,
  { beside = [], metadata = {} }: { beside?: string[]; metadata?: Record<string, string> } = {},
) {
  const tensors = beside.map((name) => ({ name, shape: [1], data: new Float32Array(1) }));
  const weights = SafetensorsFile.fromBytes(encodeSafetensors(tensors, { metadata }), file);
  const { families, by } = guessFamily(shapeOf(family), weights);
  return [families[0]?.name, by];
}

Deno.test("a shape that one family has says which it is", () => {
  assertEquals(guess("MAR KL-16", "sdxl.ckpt"), ["MAR KL-16", "shape"]);
});

Deno.test("of families of one shape, what else is in the file tells", () => {
  const sd = "Stable Diffusion 1.x";
  assertEquals(guess(sd, "m.safetensors", { beside: ["conditioner.embedders.0.x"] }), [
    "Stable Diffusion XL",
    "file",
  ]);
  assertEquals(guess(sd, "sdxl.ckpt", { beside: ["cond_stage_model.transformer.x"] }), [
    sd,
    "file",
  ]);
  const sd3 = "model.diffusion_model.joint_blocks.0.x_block.attn.qkv.weight";
  assertEquals(guess("FLUX.1", "m.safetensors", { beside: [sd3] }), ["Stable Diffusion 3", "file"]);
  const flux = "model.diffusion_model.double_blocks.0.img_attn.qkv.weight";
  assertEquals(guess("FLUX.1", "sd3.safetensors", { beside: [flux] }), ["FLUX.1", "file"]);
  const metadata = { "modelspec.architecture": "stable-diffusion-xl-v1-base" };
  assertEquals(guess(sd, "m.safetensors", { metadata }), ["Stable Diffusion XL", "file"]);
  const v3 = { "modelspec.architecture": "stable-diffusion-v3-medium" };
  assertEquals(guess("FLUX.1", "m.safetensors", { metadata: v3 }), ["Stable Diffusion 3", "file"]);
});

Deno.test("then the file's name tells, of its folder's nothing", () => {
  const of = (family: string, file: string) => guess(family, file);
  assertEquals(of("Stable Diffusion 1.x", "/x/sdxl_vae.safetensors"), [
    "Stable Diffusion XL",
    "name",
  ]);
  assertEquals(of("FLUX.1", "sd3_vae.safetensors"), ["Stable Diffusion 3", "name"]);
  assertEquals(of("FLUX.1", "sd3.5_large.safetensors"), ["Stable Diffusion 3", "name"]);
  assertEquals(of("FLUX.1", "FLUX.1-dev.safetensors"), ["FLUX.1", "name"]);
  assertEquals(of("Stable Diffusion 1.x", "sd-v1-4.ckpt"), ["Stable Diffusion 1.x", "name"]);
});

Deno.test("where nothing tells, the first of the table is taken, and said to be a guess", () => {
  assertEquals(guess("Stable Diffusion XL", "/sdxl/vae.safetensors"), [
    "Stable Diffusion 1.x",
    "nothing",
  ]);
  assertEquals(guess("Stable Diffusion 3", "/sd3/ae.safetensors"), ["FLUX.1", "nothing"]);
});
