import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { findQuantizer, findVae } from "../../src/checkpoint/parts.ts";
import {
  CheckpointError,
  encodeSafetensors,
  SafetensorsFile,
  type TensorToStore,
} from "../../src/checkpoint/mod.ts";
import {
  diffusers,
  ldm,
  named,
  type Naming,
  quantizerTensors,
  SMALL_FLUX,
  SMALL_KL16,
  vaeTensors,
} from "./weights.ts";

const TINY = { ...SMALL_KL16, channels: [2, 2, 4, 4, 8] };

function file(...tensors: TensorToStore[][]): SafetensorsFile {
  return SafetensorsFile.fromBytes(encodeSafetensors(tensors.flat()), "x.safetensors");
}

const NAMINGS: readonly [string, Naming][] = [
  ["ldm", ldm],
  ["diffusers", diffusers(5)],
  ["diffusers-old", diffusers(5, true)],
];

for (const [layout, naming] of NAMINGS) {
  for (const prefix of ["", "first_stage_model.", "vae.", "model.", "deep.in._orig_mod."]) {
    Deno.test(`an autoencoder in ${layout} below "${prefix}" has LDM's names and shapes`, async () => {
      const tensors = vaeTensors(TINY);
      const other = { name: "cond_stage_model.w", shape: [1], data: new Float32Array(1) };
      const part = findVae(file(named(tensors, naming, prefix), [other]))!;
      assertEquals(
        { layout: part.layout, prefix: part.prefix, unknown: part.unknown },
        { layout, prefix, unknown: [] },
      );
      assertEquals([...part.weights.names].sort(), tensors.map(({ name }) => name).sort());
      for (const { name, shape, data } of tensors) {
        assertEquals(part.weights.info(name).shape, shape);
        assertEquals(await part.weights.floats(name, shape), data);
        const tensor = await part.weights.tensor(name);
        assertEquals([tensor.name, tensor.shape], [name, shape]);
        assertEquals(part.weights.nameInFile(name), prefix + naming(name, shape)[0]);
      }
    });
  }
}

Deno.test("what is wrong with a tensor is told by the file's own name for it", async () => {
  const tensors = named(vaeTensors(TINY), diffusers(5), "vae.")
    .filter(({ name }) => name !== "vae.decoder.up_blocks.0.resnets.1.conv1.bias");
  const { weights } = findVae(file(tensors))!;
  await assertRejects(
    () => weights.floats("decoder.up.4.block.1.conv1.bias", [8]),
    CheckpointError,
    'x.safetensors: tensor "vae.decoder.up_blocks.0.resnets.1.conv1.bias" is missing',
  );
  await assertRejects(
    () => weights.floats("encoder.mid.attn_1.q.weight", [7, 7, 1, 1]),
    CheckpointError,
    'tensor "vae.encoder.mid_block.attentions.0.to_q.weight" has shape [8, 8], expected [7, 7, 1, 1]',
  );
});

Deno.test("a linear attention in LDM's names and a convolution in diffusers' are read too", () => {
  const swap = (naming: Naming, shapes: Naming): Naming => (name, shape) => [
    naming(name, shape)[0],
    shapes(name, shape)[1],
  ];
  for (const naming of [swap(ldm, diffusers(5)), swap(diffusers(5), ldm)]) {
    const { weights } = findVae(file(named(vaeTensors(TINY), naming)))!;
    assertEquals(weights.info("encoder.mid.attn_1.q.weight").shape, [8, 8, 1, 1]);
  }
});

Deno.test("of a moving average and the last weights the wanted one is taken", async () => {
  const [last, average] = [vaeTensors(TINY, 1), vaeTensors(TINY, 2)];
  const name = "encoder.conv_in.weight";
  const valueOf = (tensors: TensorToStore[]) => tensors.find((t) => t.name === name)!.data;
  for (const ema of ["model_ema.", "ema.", "state.ema_model.module."]) {
    const both = file(named(last, ldm, "model."), named(average, ldm, ema));
    assertEquals(await findVae(both)!.weights.floats(name), valueOf(average));
    assertEquals(await findVae(both, "trained")!.weights.floats(name), valueOf(last));
  }
  const only = file(named(last, ldm, "schema."));
  assertEquals(findVae(only)!.prefix, "schema.");
  assertEquals(findVae(only, "trained")!.prefix, "schema.");
});

Deno.test("of several autoencoders the usual one is taken, else it is asked", () => {
  const tensors = vaeTensors(TINY);
  const usual = file(named(tensors, ldm, "first_stage_model."), named(tensors, ldm, "teacher."));
  assertEquals(findVae(usual)!.prefix, "first_stage_model.");
  const unknown = file(named(tensors, ldm, "student."), named(tensors, ldm, "teacher."));
  assertThrows(
    () => findVae(unknown),
    CheckpointError,
    'x.safetensors: holds 2 models of one kind, below "student.", "teacher."',
  );
});

Deno.test("tensors beside an autoencoder's that no layout has are told", () => {
  const extra = ["vae.encoder.time_embed.weight", "vae.decoder.up.0.attn.0.skip", "vae.loss.w"]
    .map((name) => ({ name, shape: [1], data: new Float32Array(1) }));
  const part = findVae(file(named(vaeTensors(SMALL_FLUX), ldm, "vae."), extra))!;
  assertEquals([...part.unknown].sort(), [
    "vae.decoder.up.0.attn.0.skip",
    "vae.encoder.time_embed.weight",
  ]);
});

Deno.test("a file of something else holds neither model", () => {
  const other = file([
    { name: "text_encoder.conv_in.weight", shape: [1], data: new Float32Array(1) },
    { name: "my_codebooks.weight", shape: [1], data: new Float32Array(1) },
  ]);
  assertEquals([findVae(other), findQuantizer(other)], [undefined, undefined]);
});

Deno.test("a quantizer is found below any prefix", async () => {
  const tensors = quantizerTensors();
  for (const prefix of ["", "quantizer.", "model.", "a.b."]) {
    const part = findQuantizer(file(named(tensors, ldm, prefix), vaeTensors(TINY)))!;
    assertEquals(part.prefix, prefix);
    assertEquals([...part.weights.names].sort(), tensors.map(({ name }) => name).sort());
    assertEquals(await part.weights.floats("attn.to_q.bias"), tensors[2].data);
  }
});
