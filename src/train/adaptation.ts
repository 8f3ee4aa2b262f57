import type { Gpu } from "../gpu/mod.ts";
import { reconstructionLosses } from "../losses/mod.ts";
import type { Lora } from "../nn/mod.ts";
import { add, affine } from "../ops/mod.ts";
import type { CodaQuantizer, Quantized } from "../quantizer/mod.ts";
import { gradients, normal, Replays, type Tensor } from "../tensor/mod.ts";
import { type AutoencoderKL, samplePosterior } from "../vae/mod.ts";
import { emaRatio } from "./ema.ts";
import { type Fault, Guard, type Named } from "./guard.ts";
import type { Recipe } from "./recipe.ts";
import { cosineRate } from "./schedule.ts";
import { StepResult, type StepScalars } from "./step_result.ts";
import { noiseRandom } from "./streams.ts";
import { TrainedSet } from "./trained_set.ts";

/** What is adapted: a continuous VAE with LoRA in its convolutions, and a quantizer. */
export interface AdaptedModel {
  /** The autoencoder; its own weights stay as they are. */
  readonly vae: AutoencoderKL;
  /** The adapters in it, with their values. */
  readonly lora: Lora;
  /** The quantizer, with its values. */
  readonly quantizer: CodaQuantizer;
}

/** Losses before they are summed up. */
type Parts = Omit<StepScalars, "total" | "gradNorm">;

/**
 * The adaptation of a continuous VAE to discrete tokens (arXiv 2503.17760), a step at a time: first
 * `warmupSteps` of the quantizer alone on latents, then `steps` of quantizer and LoRA together.
 *
 * It waits for nothing: steps are sent to the GPU, results are read when someone asks. The first step
 * of a phase and batch is recorded, those after it are replayed.
 * {@link adapt} does this for a folder of photographs.
 *
 * @example
 * ```ts
 * import { Adaptation, CodaQuantizer, defaultRecipe } from "@coda/tokenizer";
 * import { Gpu, injectLora, loadVae } from "@coda/tokenizer";
 * import { full, Random } from "@coda/tokenizer/tensor";
 *
 * using gpu = await Gpu.create();
 * using vae = await loadVae(gpu, "models/tiny-kl-f8");
 * const lora = injectLora(vae.convs, { rank: 2, targets: ["conv1"] });
 * const shape = { codebookSize: 32, channels: 16, attentionDim: 32, patchSizes: [1, 2] };
 * using quantizer = new CodaQuantizer(gpu, { ...shape, norm: "rms", beta: 0.05 });
 * for (const part of [lora, quantizer]) part.parameters.initialize(new Random(1));
 *
 * using adaptation = new Adaptation({ vae, lora, quantizer }, defaultRecipe(1000));
 * using result = adaptation.jointStep(full(gpu, [1, 16, 16, 3], 0.5));
 * console.assert((await result.read()).numbers.total > 0);
 * ```
 */
export class Adaptation implements Disposable {
  /** The settings. */
  readonly recipe: Recipe;
  /** What is adapted; it belongs to the caller. */
  readonly model: AdaptedModel;
  /** The quantizer's parameters with optimizer and average. */
  readonly quantizer: TrainedSet;
  /** The adapters' parameters with optimizer and average. */
  readonly lora: TrainedSet;
  #gpu: Gpu;
  #guard: Guard;
  #replays: Replays;
  #step = 0;

  /** Optimizers and averages begin anew. */
  constructor(model: AdaptedModel, recipe: Recipe) {
    const { betas, weightDecay } = recipe;
    this.model = model;
    this.recipe = recipe;
    this.#gpu = model.quantizer.parameters.gpu;
    this.#guard = new Guard(this.#gpu);
    this.#replays = new Replays(this.#gpu);
    this.quantizer = new TrainedSet("quantizer", model.quantizer.parameters, {
      betas,
      weightDecay,
    });
    this.lora = new TrainedSet("lora", model.lora.parameters, { betas, weightDecay });
  }

  /** How many steps are done, the warm-up's among them. */
  get step(): number {
    return this.#step;
  }

  /** How many steps there are in all. */
  get total(): number {
    return this.recipe.warmupSteps + this.recipe.steps;
  }

  /** What the next step is. */
  get phase(): "warmup" | "joint" {
    return this.#step < this.recipe.warmupSteps ? "warmup" : "joint";
  }

  /** The learning rate of the next step. */
  get lr(): number {
    const { lr, warmupLr = lr, warmupSteps, steps } = this.recipe;
    return this.phase === "warmup" ? warmupLr : cosineRate(lr, this.#step - warmupSteps, steps);
  }

  /**
   * The first loss or gradient that was not finite in the steps so far, if there is one: that step and
   * those after it moved nothing.
   */
  async fault(): Promise<Fault | undefined> {
    return await this.#guard.read();
  }

  /** Continues a run after `step` steps; parameters, moments and averages have been loaded. */
  resume(step: number): void {
    this.#step = step;
    this.#count();
  }

  /**
   * A step of the quantizer alone: L_q + 0.05·L_e on scaled latents [B, h, w, z].
   *
   * @returns What the caller reads or drops, and disposes in either case.
   */
  warmupStep(latents: Tensor): StepResult {
    const sets = [this.quantizer];
    return this.#run("warmup", sets, [latents], ([latents]) => {
      const quantized = this.model.quantizer.forward(latents);
      const parts = { vq: quantized.vqLoss, entropy: quantized.entropyLoss };
      return this.#update(sets, parts, quantized);
    });
  }

  /**
   * A step of quantizer and adapters: 0.2·L1 + L2 + L_q + 0.05·L_e on images [B, H, W, 3] in [-1, 1].
   *
   * @returns What the caller reads or drops, and disposes in either case.
   */
  jointStep(images: Tensor): StepResult {
    const { vae, quantizer } = this.model;
    const sets = [this.quantizer, this.lora];
    using noise = this.recipe.samplePosterior ? this.#noise(images) : undefined;
    return this.#run("joint", sets, noise ? [images, noise] : [images], ([images, noise]) => {
      const posterior = vae.encode(images);
      const latent = noise ? samplePosterior(posterior, noise) : posterior.mean;
      const quantized = quantizer.forward(vae.scaleLatent(latent));
      const found = vae.decode(vae.unscaleLatent(quantized.fHat));
      const { l1, l2 } = reconstructionLosses(found, images);
      const parts = { l1, l2, vq: quantized.vqLoss, entropy: quantized.entropyLoss };
      return this.#update(sets, parts, quantized);
    });
  }

  /** A step: what is the same each time is recorded, what is not is told to the GPU before. */
  #run(
    phase: "warmup" | "joint",
    sets: readonly TrainedSet[],
    inputs: readonly Tensor[],
    work: (inputs: readonly Tensor[]) => StepResult,
  ): StepResult {
    this.#count();
    const rates = { lr: this.lr, ratio: this.#emaRatio() };
    for (const set of sets) set.prepare(rates);
    this.#guard.prepare(this.#step + 1);
    const tensors = this.#replays.run(phase, inputs, (inputs) => work(inputs).tensors);
    this.#step++;
    return StepResult.of(tensors, phase === "joint");
  }

  /** The posterior's noise: made on the host, where it is the same on every machine. */
  #noise({ shape: [batch, height, width] }: Tensor): Tensor {
    const { reduction, config } = this.model.vae;
    const [h, w] = [height, width].map((side) => Math.floor(side / reduction));
    const shape = [batch, h, w, config.latentChannels];
    return normal(this.#gpu, shape, noiseRandom(this.recipe.seed, this.#step));
  }

  /** Tells the optimizers how many steps are done, also after one that failed. */
  #count(): void {
    this.quantizer.optimizer.steps = this.#step;
    this.lora.optimizer.steps = Math.max(0, this.#step - this.recipe.warmupSteps);
  }

  #update(sets: readonly TrainedSet[], parts: Parts, { indices }: Quantized): StepResult {
    const total = this.#weigh(parts);
    const found = gradients(total, sets.flatMap(({ tensors }) => tensors));
    const names = sets.flatMap(({ names }) => names);
    const { norm, coefficient } = this.#guard.clip(
      namedLosses({ ...parts, total }),
      found.map((tensor, i) => ({ name: names[i], tensor })),
      this.recipe.clip,
    );
    let at = 0;
    for (const set of sets) {
      const count = set.tensors.length;
      set.apply(found.slice(at, at + count), coefficient);
      at += count;
    }
    return new StepResult({ total, ...parts, gradNorm: norm }, indices);
  }

  #weigh({ l1, l2, vq, entropy }: Parts): Tensor {
    const { l1Weight, l2Weight, entropyWeight } = this.recipe;
    let total = add(vq, affine(entropy, entropyWeight, 0));
    if (l1) total = add(total, affine(l1, l1Weight, 0));
    if (l2) total = add(total, affine(l2, l2Weight, 0));
    return total;
  }

  /** The average copies the parameters all through the warm-up. */
  #emaRatio(): number {
    const { warmupSteps, steps } = this.recipe;
    return this.phase === "warmup" ? 0 : emaRatio(this.#step - warmupSteps, steps);
  }

  /** Frees optimizers, averages and recordings; the model stays. */
  [Symbol.dispose](): void {
    this.#replays[Symbol.dispose]();
    this.#guard[Symbol.dispose]();
    this.quantizer[Symbol.dispose]();
    this.lora[Symbol.dispose]();
  }
}

function namedLosses(losses: Record<string, Tensor | undefined>): Named[] {
  return Object.entries(losses).flatMap(([name, tensor]) => tensor ? [{ name, tensor }] : []);
}
