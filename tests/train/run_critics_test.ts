import { assert, assertEquals, assertRejects } from "@std/assert";
import { CheckpointError } from "../../src/checkpoint/mod.ts";
import type { Gpu } from "../../src/gpu/mod.ts";
import {
  adapt,
  type AdaptOptions,
  OptionError,
  resolveOptions,
  resumeAdapt,
  RunError,
  type TrainingProgress,
} from "../../src/train/mod.ts";
import { Checkpoints } from "../../src/train/checkpoints.ts";
import { flat, gpuTest } from "../support/gpu.ts";
import { CRITIC_SIZE, tinyCriticFiles } from "./critics.ts";
import { TinyGround } from "./tiny.ts";

const FILES = ["model.safetensors", "training.safetensors"];

/** A run with every loss, on images larger than the ViT's, so that some are cropped; two batches a step. */
async function optionsOf(gpu: Gpu, ground: TinyGround): Promise<AdaptOptions> {
  const files = await tinyCriticFiles(gpu, ground.folder);
  const sizes = { imageSize: CRITIC_SIZE + 4, batch: 1, accumulate: 2, warmupSteps: 1, steps: 5 };
  return { ...ground.options, ...files, ...sizes };
}

async function contents(ground: TinyGround, run: string, step: number): Promise<Uint8Array[]> {
  const checkpoints = new Checkpoints(ground.path(`${run}/checkpoints`));
  return await Promise.all(FILES.map((name) => Deno.readFile(checkpoints.file(step, name))));
}

gpuTest(
  "with every loss on, a run that is killed twice and resumed ends bit-equal",
  async (gpu) => {
    await using ground = await TinyGround.make(gpu);
    const options = { ...await optionsOf(gpu, ground), saveEvery: 2 };
    const reports: TrainingProgress[] = [];
    await flat(gpu, async () => {
      await adapt(gpu, ground.path("whole"), options, {
        onProgress: (report) => reports.push(report),
        onNotice: (text) => assert(false, text),
      });
    });
    const killAt = (at: number) => ({
      onStep: (step: number) => {
        if (step === at) throw new Error("killed");
      },
    });
    const broken = ground.path("broken");
    await assertRejects(() => adapt(gpu, broken, options, killAt(3)), Error, "killed");
    await assertRejects(() => resumeAdapt(gpu, broken, {}, killAt(5)), Error, "killed");
    const moved = ground.path("moved");
    await Deno.mkdir(moved);
    const dino = `${moved}/dino.safetensors`;
    await Deno.rename(options.dino!, dino);
    const other = () => resumeAdapt(gpu, broken, { dino, vgg: `${moved}/vgg.safetensors` });
    await Deno.copyFile(options.vgg!, `${moved}/vgg.safetensors`); // by another name
    await assertRejects(other, RunError, "the networks are not those that the run began with");
    await resumeAdapt(gpu, broken, { dino });
    assertEquals(await contents(ground, "broken", 6), await contents(ground, "whole", 6));
    const { losses, measures } = reports.at(-1)!;
    for (const name of ["l1", "l2", "lpips", "g", "vq", "entropy", "d", "total"]) {
      assert(Number.isFinite(losses[name]), name);
    }
    assertEquals(Object.keys(measures).sort(), [
      "accFake",
      "accReal",
      "adaptiveWeight",
      "discGradNorm",
    ]);
    const { losses: terms } = JSON.parse(await Deno.readTextFile(`${broken}/config.json`));
    assertEquals(terms, { l1: 0.2, l2: 1, lpips: 1, g: 1, vq: 1, entropy: 0.05, off: [] });
  },
);

gpuTest("a run without critics says which losses are off, and writes it down", async (gpu) => {
  await using ground = await TinyGround.make(gpu);
  const notices: string[] = [];
  const options = { ...ground.options, warmupSteps: 0, steps: 1 };
  await adapt(gpu, ground.path("run"), options, { onNotice: (text) => notices.push(text) });
  assertEquals(notices.length, 2);
  assert(notices[0].startsWith("the perceptual loss is off"));
  assert(notices[1].startsWith("the adversarial loss is off"));
  const { losses } = JSON.parse(await Deno.readTextFile(ground.path("run/config.json")));
  assertEquals(losses.off, notices);
  assertEquals("lpips" in losses || "g" in losses, false);
});

gpuTest(
  "critics' files of other models are refused by name, before anything is written",
  async (gpu) => {
    await using ground = await TinyGround.make(gpu);
    const options = await optionsOf(gpu, ground);
    const refused = async (changes: Partial<AdaptOptions>, message: string) => {
      await assertRejects(
        () => adapt(gpu, ground.path("run"), { ...options, ...changes }),
        CheckpointError,
        message,
      );
    };
    await flat(gpu, async () => {
      await refused({ dino: options.vgg }, "patch_embed.proj.weight");
      await refused({ vgg: options.dino }, "no features of VGG16");
      await refused({ lpips: options.dino }, "lin0.model.1.weight");
      await refused({ dino: ground.path("none.pth") }, "none.pth");
    });
    await assertRejects(() => Deno.stat(ground.path("run")), Deno.errors.NotFound);
  },
);

Deno.test("options: critics' files come together, and of two networks one is chosen", () => {
  const options = { images: ["photos"], steps: 1 };
  const refused = (changes: Partial<AdaptOptions>, option: string) => {
    try {
      resolveOptions({ ...options, ...changes });
    } catch (error) {
      assert(error instanceof OptionError);
      assertEquals(error.option, option);
      return;
    }
    throw new Error(`${JSON.stringify(changes)} was taken`);
  };
  refused({ vgg: "vgg16.pth" }, "vgg");
  refused({ lpips: "vgg.pth" }, "lpips");
  refused({ perceptual: "lpips" }, "perceptual");
  refused({ perceptual: "vgg" as "lpips" }, "perceptual");
  refused({ perceptual: "resnet50", vgg: "a", lpips: "b" }, "perceptual");
  refused({ vgg: "a", lpips: "b", imageSize: 8 }, "imageSize");
  refused({ discWeight: -1 }, "discWeight");
  refused({ accumulate: 0 }, "accumulate");
  assertEquals(resolveOptions({ ...options, perceptual: "resnet50" }).discWeight, 1);
});
