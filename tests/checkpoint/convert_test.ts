import { assert, assertEquals, assertRejects } from "@std/assert";
import { join } from "@std/path";
import {
  CheckpointError,
  convertCheckpoint,
  encodeSafetensors,
  loadTokenizer,
  loadVae,
  openTensors,
  type TensorToStore,
  WriteError,
  writeSafetensors,
} from "../../src/checkpoint/mod.ts";
import { VAE_FAMILIES, type VaeConfig, vaeConfigToJson, vaeShapes } from "../../src/vae/mod.ts";
import { withFolder } from "../data/photos.ts";
import { gpuTest } from "../support/gpu.ts";
import { generate } from "../conformance/generated.ts";
import {
  diffusers,
  ldm,
  loraTensors,
  named,
  type Naming,
  quantizerTensors,
  SMALL_FLUX,
  SMALL_KL16,
  vaeTensors,
  writeFiles,
} from "./weights.ts";

const SD: VaeConfig = {
  ...SMALL_FLUX,
  latentChannels: 4,
  quantConv: true,
  postQuantConv: true,
  scale: 0.18215,
  shift: 0,
};

/** Asserts that a file holds exactly these tensors, bit for bit, in this dtype. */
async function assertHolds(
  path: string,
  tensors: readonly TensorToStore[],
  dtype = "f32",
): Promise<void> {
  using file = await openTensors(path);
  assertEquals([...file.names].sort(), tensors.map(({ name }) => name).sort());
  for (const { name, shape, data } of tensors) {
    const found = await file.tensor(name);
    assertEquals([found.dtype, found.shape], [dtype, shape], name);
    assertEquals(bytesOf(found.data), bytesOf(data), name);
  }
}

function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

const BUILDS: readonly [string, VaeConfig][] = [
  ["KL-16's", SMALL_KL16],
  ["FLUX's", SMALL_FLUX],
  ["Stable Diffusion 1.x's", SD],
];

for (const [name, config] of BUILDS) {
  const levels = config.channels.length;
  const namings: readonly [string, Naming][] = [
    ["ldm", ldm],
    ["diffusers", diffusers(levels)],
    ["diffusers-old", diffusers(levels, true)],
  ];
  for (const [from, naming] of namings) {
    Deno.test(`${name} build from ${from} to either layout and back, bit for bit`, async () => {
      const tensors = vaeTensors(config);
      const current = from === "ldm" ? ldm : diffusers(levels);
      await withFolder(async (folder) => {
        const at = (file: string) => join(folder, file);
        await writeFiles(folder, {
          "in.safetensors": named(tensors, naming, "first_stage_model."),
        });
        const same = await convertCheckpoint(at("in.safetensors"), at("same.safetensors"));
        assertEquals([same.kind, same.tensors, same.leftOut], ["autoencoder", tensors.length, 0]);
        await assertHolds(at("same.safetensors"), named(tensors, current));
        for (const [layout, naming] of [["ldm", ldm], ["diffusers", diffusers(levels)]] as const) {
          const there = at(`${layout}.safetensors`);
          await convertCheckpoint(at("in.safetensors"), there, { layout });
          await assertHolds(there, named(tensors, naming));
          const back = at(`${layout}-back.safetensors`);
          await convertCheckpoint(there, back, { layout: from === "ldm" ? "ldm" : "diffusers" });
          assertEquals(await Deno.readFile(back), await Deno.readFile(at("same.safetensors")));
        }
      });
    });
  }
}

Deno.test("a whole FLUX.1 autoencoder goes to diffusers and back, bit for bit", async () => {
  const { config } = VAE_FAMILIES.find(({ name }) => name === "FLUX.1")!;
  const tensors = Array.from(vaeShapes(config), ([name, shape], i) => ({
    name,
    shape,
    dtype: "f32" as const,
    make: () => Promise.resolve(generate({ shape: [...shape], seed: i, center: 0, bound: 1 })),
  }));
  await withFolder(async (folder) => {
    const [first, there, back] = ["ae", "diffusers", "back"].map((name) =>
      join(folder, `${name}.safetensors`)
    );
    await writeSafetensors(first, tensors);
    await convertCheckpoint(first, there, { layout: "diffusers" });
    await convertCheckpoint(there, back, { layout: "ldm" });
    using a = await openTensors(first);
    using b = await openTensors(back);
    assertEquals([...b.names].sort(), [...a.names].sort());
    for (const { name, shape } of tensors) {
      const [one, other] = [await a.floats(name, shape), await b.floats(name, shape)];
      if (!one.every((value, i) => value === other[i])) throw new Error(`${name} differs`);
    }
  });
});

gpuTest("a folder that was converted is what it was, with its configuration", async (gpu) => {
  const config = { ...SMALL_KL16, normGroups: 16, scale: 0.5, shift: -1 };
  const tensors = vaeTensors(config);
  await withFolder(async (folder) => {
    const at = (file: string) => join(folder, file);
    await writeFiles(at("in"), {
      "kl16.safetensors": named(tensors, ldm, "model."),
      "config.json": vaeConfigToJson(config),
    });
    const outputs = [["diffusers", at("out")], ["ldm", at("out-ldm")], [
      "ldm",
      at("x.safetensors"),
    ]];
    for (const [layout, out] of outputs as ["ldm" | "diffusers", string][]) {
      await convertCheckpoint(at("in"), out, { layout });
      using vae = await loadVae(gpu, out);
      assertEquals(vae.config, config);
      const found = new Map((await vae.parameters.weights()).map((w) => [w.name, w.data]));
      for (const { name, data } of tensors) assertEquals(found.get(name), data, name);
    }
    const json = JSON.parse(await Deno.readTextFile(at("out/config.json")));
    assertEquals(json.down_block_types, [
      ...Array(4).fill("DownEncoderBlock2D"),
      "AttnDownEncoderBlock2D",
    ]);
    assertEquals([...Deno.readDirSync(at("out"))].map(({ name }) => name).sort(), [
      "config.json",
      "diffusion_pytorch_model.safetensors",
    ]);
  });
});

gpuTest(
  "of a file's own configuration and a config.json, the nearer to what was named holds",
  async (gpu) => {
    await withFolder(async (folder) => {
      const at = (file: string) => join(folder, file);
      await writeFiles(at("in"), { "x.safetensors": vaeTensors(SMALL_FLUX) });
      await Deno.mkdir(at("out"));
      await convertCheckpoint(at("in"), at("out/x.safetensors"), { scale: 0.5 });
      const scaleOf = async (path: string) => {
        using vae = await loadVae(gpu, path);
        return vae.config.scale;
      };
      assertEquals([await scaleOf(at("out")), await scaleOf(at("out/x.safetensors"))], [0.5, 0.5]);
      await writeFiles(at("out"), { "config.json": { scaling_factor: 2 } });
      assertEquals([await scaleOf(at("out")), await scaleOf(at("out/x.safetensors"))], [2, 0.5]);
    });
  },
);

Deno.test("a scale that nobody knows stays unknown", async () => {
  const config = { ...SMALL_FLUX, latentChannels: 5 };
  await withFolder(async (folder) => {
    await writeFiles(join(folder, "in"), { "x.safetensors": vaeTensors(config) });
    await convertCheckpoint(join(folder, "in"), join(folder, "out"));
    const json = JSON.parse(await Deno.readTextFile(join(folder, "out/config.json")));
    assertEquals([json.latent_channels, "scaling_factor" in json], [5, false]);
  });
});

Deno.test("floats are stored in the dtype asked for, integers as they are", async () => {
  const tensors = vaeTensors(SMALL_FLUX);
  await withFolder(async (folder) => {
    const at = (file: string) => join(folder, file);
    await writeFiles(folder, { "in.safetensors": tensors });
    const round = (dtype: "f16" | "bf16") => {
      const values = (data: Float32Array) => {
        if (dtype === "f16") return Float32Array.from(new Float16Array(data));
        const bits = new Uint32Array(data.slice().buffer);
        const even = bits.map((one) => ((one + 0x7fff + ((one >>> 16) & 1)) >>> 16) << 16);
        return new Float32Array(even.buffer);
      };
      return tensors.map((t) => ({ ...t, data: values(t.data as Float32Array) }));
    };
    for (const dtype of ["f16", "bf16"] as const) {
      await convertCheckpoint(at("in.safetensors"), at("out.safetensors"), { dtype });
      await assertHolds(at("out.safetensors"), round(dtype), dtype);
      await convertCheckpoint(at("out.safetensors"), at("again.safetensors"), { dtype: "f32" });
      await assertHolds(at("again.safetensors"), round(dtype), "f32");
      await convertCheckpoint(at("out.safetensors"), at("kept.safetensors"), {
        layout: "diffusers",
      });
      await assertHolds(at("kept.safetensors"), named(round(dtype), diffusers(4)), dtype);
    }
    const counts = { name: "counts", shape: [1], data: new BigInt64Array([7n]) };
    const other = { name: "w", shape: [1], data: new Float32Array([0.5]), dtype: "f64" as const };
    await writeFiles(folder, { "other.safetensors": [counts, other] });
    const copied = await convertCheckpoint(at("other.safetensors"), at("copy.safetensors"));
    assertEquals([copied.kind, copied.tensors, copied.parameters], ["tensors", 2, 2]);
    using copy = await openTensors(at("copy.safetensors"));
    assertEquals([copy.info("counts").dtype, copy.info("w").dtype], ["i64", "f32"]);
    assertEquals(await copy.floats("w"), new Float32Array([0.5]));
  });
});

for (
  const [name, config, naming] of [
    ["KL-16's", SMALL_KL16, ldm],
    ["FLUX's", SMALL_FLUX, diffusers(4)],
  ] as const
) {
  gpuTest(`adapters of ${name} build are fused, or kept in the other layout`, async (gpu) => {
    const tensors = vaeTensors(config);
    const lora = loraTensors(config, { rank: 3, targets: ["conv1", "upsample"] });
    const quantizer = quantizerTensors();
    const fused = tensors.map((tensor) => fusedOf(tensor, lora));
    await withFolder(async (folder) => {
      const at = (file: string) => join(folder, file);
      await writeFiles(at("in"), {
        "vae_ema.safetensors": named([...tensors, ...lora], naming),
        "quantizer_ema.safetensors": quantizer,
      });
      const { kind, fused: count } = await convertCheckpoint(at("in"), at("fused"), {
        fuseLora: true,
        layout: "ldm",
      });
      assertEquals([kind, count], ["tokenizer", lora.length / 2]);
      const all = [...named(fused, ldm, "vae."), ...named(quantizer, ldm, "quantizer.")];
      await assertHolds(at("fused/model.safetensors"), all);
      const ids: string[] = [];
      const idOf = async (path: string) => {
        const { vae, quantizer, modelId } = await loadTokenizer(gpu, path);
        vae[Symbol.dispose]();
        quantizer[Symbol.dispose]();
        ids.push(modelId);
      };
      await idOf(at("in"));
      for (const layout of ["ldm", "diffusers"] as const) {
        await convertCheckpoint(at("in"), at(layout), { layout });
        const rename = layout === "ldm" ? ldm : diffusers(config.channels.length);
        const kept = named([...tensors, ...lora], rename, "vae.");
        await assertHolds(at(`${layout}/model.safetensors`), [
          ...kept,
          ...named(quantizer, ldm, "quantizer."),
        ]);
        await idOf(at(layout));
        await convertCheckpoint(at("in"), at(`${layout}.safetensors`), { layout });
        await idOf(at(`${layout}.safetensors`));
      }
      assertEquals(new Set(ids).size, 1, "the same model has one id");
    });
  });
}

/** A convolution's weight with its adapter, by the definition, in float64. */
function fusedOf(tensor: TensorToStore, lora: readonly TensorToStore[]): TensorToStore {
  const adapter = tensor.name.replace(/weight$/, "lora_layer");
  const [down, up] = ["down", "up"].map((part) =>
    lora.find(({ name }) => name === `${adapter}.${part}.weight`)
  );
  if (!down || !up) return tensor;
  const [rank] = down.shape;
  const size = tensor.data.length / tensor.shape[0];
  const data = Float32Array.from(tensor.data as Float32Array, (value, i) => {
    const [o, k] = [Math.floor(i / size), i % size];
    let sum = value;
    for (let r = 0; r < rank; r++) {
      sum += Number(up.data[o * rank + r]) * Number(down.data[r * size + k]);
    }
    return sum;
  });
  return { ...tensor, data };
}

Deno.test("of a whole model the autoencoder is taken; a quantizer alone is one", async () => {
  const unet = ["model.diffusion_model.x", "cond_stage_model.y", "model_ema.decay"]
    .map((name) => ({ name, shape: [1], data: new Float32Array(1) }));
  const tensors = vaeTensors(SD);
  await withFolder(async (folder) => {
    const at = (file: string) => join(folder, file);
    await writeFiles(folder, {
      "v1.safetensors": [...named(tensors, ldm, "first_stage_model."), ...unet],
      "q.safetensors": named(quantizerTensors(), ldm, "model."),
    });
    const found = await convertCheckpoint(at("v1.safetensors"), at("vae.safetensors"));
    assertEquals([found.tensors, found.leftOut], [tensors.length, 3]);
    await assertHolds(at("vae.safetensors"), tensors);
    const { kind } = await convertCheckpoint(at("q.safetensors"), at("quantizer.safetensors"));
    assertEquals(kind, "quantizer");
    await assertHolds(at("quantizer.safetensors"), quantizerTensors());
  });
});

Deno.test("what cannot be converted is told, and what was there stays", async () => {
  const tensors = vaeTensors(SMALL_FLUX);
  await withFolder(async (folder) => {
    const at = (file: string) => join(folder, file);
    const large = tensors.map((tensor) =>
      tensor.name === "decoder.conv_out.bias"
        ? { ...tensor, data: new Float32Array(3).fill(7e4) }
        : tensor
    );
    await writeFiles(folder, {
      "in.safetensors": tensors,
      "large.safetensors": large,
      "part.safetensors": tensors.filter(({ name }) => name !== "decoder.mid.block_1.norm1.bias"),
      "other.safetensors": [{ name: "w", shape: [1], data: new Float32Array(1) }],
    });
    await Deno.mkdir(at("full"));
    await Deno.writeTextFile(at("full/x.txt"), "mine");
    await Deno.writeTextFile(at("old.safetensors"), "old");
    const refuse = async (
      input: string,
      output: string,
      kind: new (...args: never[]) => Error,
      message: string,
      options = {},
    ) => {
      await assertRejects(() => convertCheckpoint(at(input), at(output), options), kind, message);
      assertEquals(await Deno.readTextFile(at("old.safetensors")), "old");
      const left = [...Deno.readDirSync(folder)].filter(({ name }) => name.endsWith(".tmp"));
      assertEquals(left, []);
    };
    await refuse("in.safetensors", "in.safetensors", WriteError, "it is the input");
    await refuse("in.safetensors", "x.pth", WriteError, "name a .safetensors file");
    await refuse("in.safetensors", "full", WriteError, "it is not empty (x.txt)");
    await refuse(
      "large.safetensors",
      "old.safetensors",
      CheckpointError,
      'tensor "decoder.conv_out.bias" holds 70000, which f16 cannot',
      { dtype: "f16" },
    );
    await refuse(
      "part.safetensors",
      "old.safetensors",
      CheckpointError,
      'part.safetensors: tensor "decoder.mid.block_1.norm1.bias" is missing',
    );
    for (const options of [{ layout: "ldm" }, { fuseLora: true }]) {
      await refuse(
        "other.safetensors",
        "old.safetensors",
        CheckpointError,
        "holds no autoencoder",
        {
          ...options,
        },
      );
    }
    await assertRejects(() => convertCheckpoint(at("in.safetensors"), at("old.safetensors/x")));
    assert((await Deno.stat(at("in.safetensors"))).isFile);
    const bytes = encodeSafetensors(tensors);
    assertEquals(await Deno.readFile(at("in.safetensors")), bytes);
  });
});

Deno.test("a conversion that is stopped leaves what was there, and nothing of its own", async () => {
  await withFolder(async (folder) => {
    const [input, output] = ["in.safetensors", "out.safetensors"].map((name) => join(folder, name));
    await writeSafetensors(input, vaeTensors(SMALL_FLUX));
    await Deno.writeTextFile(output, "what was there");
    const stop = new AbortController();
    const reason = new Error("stopped");
    const onTensor = (done: number) => {
      if (done === 3) stop.abort(reason);
    };
    const options = { onTensor, signal: stop.signal } as const;
    const error = await assertRejects(() => convertCheckpoint(input, output, options));
    assertEquals(error, reason);
    assertEquals(await Deno.readTextFile(output), "what was there");
    const names = await Array.fromAsync(Deno.readDir(folder), ({ name }) => name);
    assertEquals(names.sort(), ["in.safetensors", "out.safetensors"]);
  });
});
