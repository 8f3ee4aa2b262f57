import { join } from "@std/path";
import { writeSafetensors } from "../../src/checkpoint/mod.ts";
import { saveImage } from "../../src/data/mod.ts";
import type { Gpu } from "../../src/gpu/mod.ts";
import { injectLora } from "../../src/nn/mod.ts";
import { CodaQuantizer } from "../../src/quantizer/mod.ts";
import { Random } from "../../src/tensor/mod.ts";
import type { AdaptedModel, AdaptOptions } from "../../src/train/mod.ts";
import { AutoencoderKL, type VaeConfig, vaeConfigToJson } from "../../src/vae/mod.ts";

/** An autoencoder small enough that a step takes milliseconds. */
export const TINY_VAE: VaeConfig = {
  inChannels: 3,
  channels: [4, 8],
  blocksPerLevel: 1,
  latentChannels: 4,
  normGroups: 2,
  midAttention: true,
  encoderAttentionLevels: [],
  quantConv: true,
  postQuantConv: false,
  scale: 1.5,
  shift: -0.1,
};

/** The pixels per side of the tiny runs' crops. */
export const TINY_SIZE = 8;

/** A tiny VAE, LoRA and quantizer with seeded values; the caller disposes what it holds. */
export function tinyModel(gpu: Gpu): AdaptedModel & Disposable {
  const vae = new AutoencoderKL(gpu, TINY_VAE);
  vae.parameters.initialize(new Random(1));
  const lora = injectLora(vae.convs, { rank: 2, targets: ["conv1", "upsample"] });
  lora.parameters.initialize(new Random(2));
  const quantizer = new CodaQuantizer(gpu, {
    codebookSize: 16,
    channels: 4,
    attentionDim: 8,
    patchSizes: [1, 2, 4],
    norm: "rms",
    beta: 0.05,
  });
  quantizer.parameters.initialize(new Random(3));
  return {
    vae,
    lora,
    quantizer,
    [Symbol.dispose]() {
      vae[Symbol.dispose]();
      lora.parameters[Symbol.dispose]();
      quantizer[Symbol.dispose]();
    },
  };
}

/** What a tiny run on disk begins from, in a temporary folder that disposing removes. */
export class TinyGround implements AsyncDisposable {
  /** Holds `vae`, `images`, and whatever the runs write. */
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  /** Writes the VAE and five images. */
  static async make(gpu: Gpu): Promise<TinyGround> {
    const ground = new TinyGround(await Deno.makeTempDir());
    await Deno.mkdir(ground.path("vae"));
    using vae = new AutoencoderKL(gpu, TINY_VAE);
    vae.parameters.initialize(new Random(1));
    await writeSafetensors(ground.path("vae/model.safetensors"), await vae.parameters.weights());
    const config = JSON.stringify(vaeConfigToJson(TINY_VAE));
    await Deno.writeTextFile(ground.path("vae/config.json"), config);
    await Deno.mkdir(ground.path("images"));
    for (let i = 0; i < 5; i++) await saveImage(ground.path(`images/${i}.png`), gradient(i));
    return ground;
  }

  /** A path below the folder. */
  path(name: string): string {
    return join(this.folder, name);
  }

  /** The options of a run of three warm-up steps and five joint ones. */
  get options(): AdaptOptions {
    return {
      vae: this.path("vae"),
      images: [this.path("images")],
      steps: 5,
      warmupSteps: 3,
      batch: 2,
      warmupBatch: 3,
      imageSize: TINY_SIZE,
      codebookSize: 16,
      patchSizes: [1, 2, 4],
      rank: 2,
      seed: 7,
      logEvery: 1,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.folder, { recursive: true });
  }
}

function gradient(i: number): { width: number; height: number; data: Uint8Array } {
  const [width, height] = [16 + i, 12];
  const data = Uint8Array.from(
    { length: width * height * 3 },
    (_, at) => (at * (5 + 2 * i) + 40 * i) % 256,
  );
  return { width, height, data };
}
