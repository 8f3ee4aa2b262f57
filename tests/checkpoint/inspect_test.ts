import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import {
  CheckpointError,
  inspectCheckpoint,
  type Inspection,
  type TensorToStore,
} from "../../src/checkpoint/mod.ts";
import { VAE_FAMILIES, type VaeConfig, vaeConfigToJson, vaeShapes } from "../../src/vae/mod.ts";
import { withFolder } from "../data/photos.ts";
import {
  diffusers,
  ldm,
  loraTensors,
  named,
  quantizerTensors,
  SMALL_FLUX,
  SMALL_KL16,
  vaeTensors,
  writeFiles,
} from "./weights.ts";

/** Inspects a folder of files. */
async function inspect(
  files: Record<string, TensorToStore[] | Record<string, unknown>>,
  name = "",
): Promise<Inspection> {
  const found: Inspection[] = [];
  await withFolder(async (folder) => {
    await writeFiles(folder, files);
    found.push(await inspectCheckpoint(join(folder, name)));
  });
  return found[0];
}

const SIZES = (tensors: readonly TensorToStore[]) =>
  tensors.reduce((sum, { data }) => sum + data.length, 0);

Deno.test("a sound autoencoder is described whole", async () => {
  const tensors = vaeTensors(SMALL_KL16);
  const lora = loraTensors(SMALL_KL16, { rank: 3, targets: ["conv1", "conv2"] });
  const beside = { name: "loss.w", shape: [4], data: new Float32Array(4) };
  const all = [...named([...tensors, ...lora], diffusers(5, true), "first_stage_model."), beside];
  const { kind, problem, files: [file], vae, others } = await inspect({ "x.safetensors": all });
  assertEquals([kind, problem], ["autoencoder", undefined]);
  assertEquals([file.format, file.tensors, file.parameters], [
    "safetensors",
    all.length,
    SIZES(all),
  ]);
  assert(vae);
  assertEquals([vae.layout, vae.prefix], ["diffusers-old", "first_stage_model."]);
  assertEquals(vae.family, { name: "MAR KL-16", others: [], by: "shape", width: 1 / 4 });
  assertEquals([vae.reduction, vae.scale, vae.shift, vae.scaledBy], [16, 0.2325, 0, "family"]);
  assertEquals([vae.tensors, vae.parameters, vae.bytes, vae.dtypes], [
    tensors.length,
    SIZES(tensors),
    4 * SIZES(tensors),
    { f32: tensors.length },
  ]);
  assertEquals([vae.lora?.rank, vae.lora?.convolutions, vae.lora?.parameters], [
    3,
    lora.length / 2,
    SIZES(lora),
  ]);
  assertEquals(vae.difference, {
    model: "its own shape",
    tensors: tensors.length,
    same: tensors.length,
    misshapen: [],
    missing: [],
    extra: [],
  });
  assertEquals(vae.nearest?.name, "MAR KL-16");
  assertEquals(vae.nearest?.otherwise, [
    "channels 32, 32, 64, 64, 128 instead of channels 128, 128, 256, 256, 512",
  ]);
  assertEquals(others, [{
    name: "loss",
    tensors: 1,
    parameters: 4,
    bytes: 16,
    dtypes: { f32: 1 },
  }]);
});

Deno.test("a published autoencoder is of its family, and near to no other", async () => {
  for (const { name, config } of VAE_FAMILIES.slice(0, 2)) {
    // Zeros in half precision: the shapes are what is inspected.
    const tensors = Array.from(vaeShapes(config), ([name, shape]) => ({
      name,
      shape,
      dtype: "f16" as const,
      data: new Float32Array(shape.reduce((a, b) => a * b)),
    }));
    const { vae, problem } = await inspect({ "x.safetensors": tensors });
    assertEquals([vae?.family?.name, vae?.family?.width], [name, 1]);
    assertEquals([vae?.nearest, problem], [undefined, undefined]);
    assertEquals(vae?.scale, config.scale);
  }
});

Deno.test("families of one shape are told, and why one is taken", async () => {
  const files = { "sd3_vae.safetensors": vaeTensors(SMALL_FLUX) };
  const byName = await inspect(files, "sd3_vae.safetensors");
  assertEquals(byName.vae?.family, {
    name: "Stable Diffusion 3",
    others: ["FLUX.1"],
    by: "name",
    width: 1 / 4,
  });
  assertEquals(byName.vae?.scale, 1.5305);
  const guessed = await inspect({ "ae.safetensors": vaeTensors(SMALL_FLUX) });
  assertEquals([guessed.vae?.family?.by, guessed.vae?.scale], ["nothing", 0.3611]);
  const told = await inspect({ ...files, "config.json": { scaling_factor: 0.3611 } });
  assertEquals([told.vae?.family?.name, told.vae?.family?.by], ["FLUX.1", "scale"]);
  const own = await inspect({ ...files, "config.json": { scaling_factor: 2 } });
  assertEquals([own.vae?.family?.name, own.vae?.family?.by], ["Stable Diffusion 3", "name"]);
});

Deno.test("what is missing, misshapen or beside is named as in the file, with what loading says", async () => {
  const tensors = named(vaeTensors(SMALL_FLUX), diffusers(4), "vae.");
  const without = tensors.filter(({ name }) => !name.includes("mid_block.resnets.1.norm1"));
  const changed = without.map((tensor) =>
    tensor.name === "vae.decoder.conv_out.bias"
      ? { ...tensor, shape: [4], data: new Float32Array(4) }
      : tensor
  );
  const extra = { name: "vae.decoder.time_embed.weight", shape: [1], data: new Float32Array(1) };
  const { vae, problem } = await inspect({ "x.safetensors": [...changed, extra] });
  assertEquals(vae?.difference?.missing, [
    "vae.encoder.mid_block.resnets.1.norm1.weight",
    "vae.encoder.mid_block.resnets.1.norm1.bias",
    "vae.decoder.mid_block.resnets.1.norm1.weight",
    "vae.decoder.mid_block.resnets.1.norm1.bias",
  ]);
  assertEquals(vae?.difference?.misshapen, [
    { name: "vae.decoder.conv_out.bias", found: [4], expected: [3] },
  ]);
  assertEquals(vae?.difference?.extra, [extra.name]);
  assertStringIncludes(problem!, `tensor "${extra.name}" is in no autoencoder with channels 32`);
  const lacking = await inspect({ "x.safetensors": without });
  assertStringIncludes(problem!, "coda inspect");
  assertStringIncludes(lacking.problem!, 'resnets.1.norm1.weight" is missing');
});

Deno.test("an autoencoder of no family says how it differs from the nearest", async () => {
  const config: VaeConfig = { ...SMALL_FLUX, latentChannels: 5, blocksPerLevel: 1 };
  const { vae, problem } = await inspect({ "x.safetensors": vaeTensors(config) });
  assertEquals([vae?.family, vae?.scale], [undefined, undefined]);
  assertStringIncludes(problem!, "is of no published family");
  assertEquals(vae?.nearest?.name, "FLUX.1");
  assertEquals(vae?.nearest?.otherwise, [
    "channels 32, 64, 128, 128 instead of channels 128, 256, 512, 512",
    "1 block a level instead of 2 blocks a level",
    "5 latent channels instead of 16 latent channels",
  ]);
  const named = vae!.nearest!.difference;
  assertEquals(named.same + named.misshapen.length + named.missing.length, named.tensors);
  const told = await inspect({
    "x.safetensors": vaeTensors(config),
    "config.json": vaeConfigToJson({ ...config, scale: 2, shift: 1 }),
  });
  assertEquals([told.problem, told.vae?.scale, told.vae?.scaledBy], [undefined, 2, "config"]);
});

Deno.test("attention where no family has it is the reason", async () => {
  // As in the autoencoder of taming-transformers, which has it in the decoder's levels too.
  const attention = ["norm", "q", "k", "v", "proj_out"].flatMap((part) =>
    ["weight", "bias"].map((tensor) => ({
      name: `decoder.up.4.attn.0.${part}.${tensor}`,
      shape: [1],
      data: new Float32Array(1),
    }))
  );
  const { vae, problem } = await inspect({
    "x.safetensors": [...vaeTensors(SMALL_KL16), ...attention],
  });
  assertEquals(vae?.difference?.extra.toSorted(), attention.map(({ name }) => name).sort());
  assertStringIncludes(problem!, "decoder.up.4.attn.0");
});

Deno.test("a tokenizer is described with its quantizer", async () => {
  const { kind, problem, vae, quantizer, files } = await inspect({
    "vae.safetensors": vaeTensors(SMALL_FLUX),
    "quantizer.safetensors": named(quantizerTensors({ norm: ["weight", "bias"] }), ldm, "model."),
  });
  assertEquals([kind, problem, files.length], ["tokenizer", undefined, 2]);
  assertEquals(vae?.family?.name, "FLUX.1");
  assertEquals(quantizer, {
    tensors: 11,
    parameters: SIZES(quantizerTensors({ norm: ["weight", "bias"] })),
    bytes: 4 * SIZES(quantizerTensors({ norm: ["weight", "bias"] })),
    dtypes: { f32: 11 },
    kind: "coda",
    prefix: "model.",
    codebookSize: 16,
    channels: 16,
    attentionDim: 8,
    norm: "layer",
    patchSizes: [1, 2, 3, 4, 6, 9, 13, 18, 24, 32],
    preset: undefined,
    missing: [],
    extra: [],
  });
  const alone = await inspect({
    "q.safetensors": quantizerTensors().filter(({ name }) => name !== "attn.to_k.bias"),
  });
  assertEquals([alone.kind, alone.quantizer?.missing], ["quantizer", ["attn.to_k.bias"]]);
  assertStringIncludes(alone.problem!, 'tensor "attn.to_k.bias" is missing');
});

Deno.test("the published tokenizer's preset is recognised", async () => {
  const { quantizer } = await inspect({
    "vae.safetensors": vaeTensors(SMALL_KL16),
    "quantizer.safetensors": quantizerTensors({ codes: 16384, dim: 32 }),
  });
  assertEquals(quantizer?.preset, "mar-16384");
});

function tensor(name: string, ...shape: number[]): TensorToStore {
  return { name, shape, data: new Float32Array(shape.reduce((a, b) => a * b, 1)) };
}

Deno.test("an unknown model is compared with the nearest", async () => {
  const unet = [
    tensor("conv_in.weight", 8, 4, 3, 3),
    tensor("time_embedding.linear_1.weight", 8, 8),
    ...["down_blocks.0", "up_blocks.1"].flatMap((block) =>
      ["norm1", "conv1", "norm2", "conv2"].flatMap((part) => [
        tensor(`${block}.resnets.0.${part}.weight`, 8, 8),
        tensor(`${block}.resnets.0.${part}.bias`, 8),
      ])
    ),
    tensor("mid_block.attentions.0.transformer_blocks.0.attn1.to_q.weight", 8, 8),
  ];
  const found = await inspect({ "unet.safetensors": unet });
  assertEquals([found.kind, found.vae, found.quantizer], ["unknown", undefined, undefined]);
  assertEquals(found.looksLike, "a U-Net of Stable Diffusion in diffusers' layout");
  assertStringIncludes(found.nearest!.model, "in diffusers' layout");
  assertEquals([found.nearest!.same, found.nearest!.extra.length], [0, unet.length]);
  assertEquals(found.nearest!.missing.length, found.nearest!.tensors);
  assertStringIncludes(found.problem!, "holds neither an autoencoder nor a quantizer");

  const almost = vaeTensors(SMALL_FLUX).filter(({ name }) => !name.includes("coder.conv_in"));
  const half = await inspect({ "half.safetensors": named(almost, ldm, "a.b.") });
  assertEquals(half.kind, "unknown");
  assertStringIncludes(half.nearest!.model, "in LDM's layout");
  assert(half.nearest!.missing.includes("encoder.conv_in.weight"));
  assert(half.nearest!.misshapen.length > 100);

  const codes = quantizerTensors().filter(({ name }) => name !== "codebooks.weight");
  const quantizer = await inspect({ "q.safetensors": codes });
  assertEquals(quantizer.nearest?.model, "CODA's quantizer");
  assertEquals(quantizer.nearest?.missing, ["codebooks.weight"]);

  const other = await inspect({ "other.safetensors": [tensor("w", 2)] });
  assertEquals([other.looksLike, other.nearest?.same, other.nearest?.extra], [undefined, 0, ["w"]]);
});

Deno.test("what cannot be read is an error", async () => {
  await assertRejects(() => inspectCheckpoint("/no/such"), CheckpointError, "there is no such");
});

Deno.test("a number in a name is no amount of work", async () => {
  const tensor = (name: string) => ({ name, shape: [2, 2], data: new Float32Array(4) });
  const phi = "quantizer.quant_resi.qresi_ls.99999999999999.weight";
  const { quantizer } = await inspect({
    "x.safetensors": [tensor("quantizer.embedding.weight"), tensor(phi)],
  });
  assert(quantizer?.extra.includes(phi));
});
