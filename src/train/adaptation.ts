import type { Gpu } from "../gpu/mod.ts";
import { drawCrop, klLoss } from "../losses/mod.ts";
import type { Parameters } from "../nn/mod.ts";
import { add, affine, mul, sum } from "../ops/mod.ts";
import type { Quantized } from "../quantizer/mod.ts";
import {
  empty,
  fromArray,
  gradients,
  normal,
  type Random,
  type ReplayedWork,
  Replays,
  type Shape,
  type Tensor,
  withHalfActivations,
} from "../tensor/mod.ts";
import { type Posterior, samplePosterior } from "../vae/mod.ts";
import { Criterion } from "./criterion.ts";
import { emaRatio } from "./ema.ts";
import { GradientSums } from "./gradient_sums.ts";
import { type Fault, Guard, type Named } from "./guard.ts";
import { lastLayer } from "./last_layer.ts";
import type { Recipe } from "./recipe.ts";
import { cosineRate } from "./schedule.ts";
import { isLoss, joinedParts, StepResult } from "./step_result.ts";
import { cropRandom, noiseRandom } from "./streams.ts";
import { type Critics, type TrainedModel, trainedPart } from "./trained_model.ts";
import { TrainedSet } from "./trained_set.ts";

/**
 * How many times as large as asked for a buffer of a recorded step may be. A step asks for many sizes:
 * one of KL-16 with checkpoints takes 543 MiB with 2, 724 with 1, and 607 with 4.
 */
const ROOM = 2;

/** What a step works on, by name; the same names in every step of a phase. */
type Inputs = Readonly<Record<string, Tensor>>;

/** The losses of a batch that are not of its pixels. */
interface OwnLosses {
  /** Their weighted sum. */
  readonly total: Tensor;
  readonly scalars: Readonly<Record<string, Tensor>>;
}

/** What a step finds out: scalars by name, and codes. */
interface Found {
  readonly scalars: Readonly<Record<string, Tensor>>;
  readonly indices: readonly Tensor[];
}

/** What a batch finds out beside that. */
interface FoundGradients extends Found {
  /** Of the parameters of both sides: the generator's, then the discriminator's. */
  readonly gradients: readonly Tensor[];
}

/** Sets whose gradients are clipped together. */
interface Side {
  readonly sets: readonly TrainedSet[];
  /** What the norm of their gradients is called. */
  readonly norm: "gradNorm" | "discGradNorm";
}

/**
 * The adaptation of a continuous VAE to discrete tokens (arXiv 2503.17760), a step at a time: first
 * `warmupSteps` of the quantizer alone on latents, then `steps` of quantizer and LoRA together, and of the
 * discriminator where there is one. Other models train in the same steps: see {@link TrainedModel}.
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
  /** What is trained; it belongs to the caller. */
  readonly model: TrainedModel;
  /** What judges it; it belongs to the caller too. */
  readonly critics: Critics;
  /** The quantizer's parameters with optimizer and average. */
  readonly quantizer: TrainedSet | undefined;
  /** The same of the adapters ("lora") or of the autoencoder ("vae"). */
  readonly autoencoder: TrainedSet | undefined;
  /** The same of the discriminator's heads. */
  readonly discriminator: TrainedSet | undefined;
  #gpu: Gpu;
  #guard: Guard;
  #replays: Replays;
  #scalarNames = new Map<string, string[]>();
  #criterion: Criterion;
  #lastLayer: Tensor | undefined;
  #sums: GradientSums | undefined;
  #step = 0;

  /**
   * Whether steps are recorded and replayed, which spares the host most of its work; true unless set.
   * Without it a step takes less memory: a recording keeps every buffer that it needs anywhere.
   */
  isReplayed = true;

  /**
   * Optimizers and averages begin anew.
   *
   * @throws {TypeError} where nothing is trained, or a discriminator has nothing to work against.
   */
  constructor(model: TrainedModel, recipe: Recipe, critics: Critics = {}) {
    const { betas, weightDecay, discWeightDecay } = recipe;
    const set = (name: string, parameters: Parameters, weightDecay: number) =>
      new TrainedSet(name, parameters, { betas, weightDecay });
    const part = trainedPart(model);
    const { quantizer } = model;
    const { discriminator } = critics;
    if (!part && !quantizer) throw new TypeError("the model has nothing that is trained");
    this.model = model;
    this.recipe = recipe;
    this.critics = critics;
    this.#gpu = model.vae.parameters.gpu;
    this.#guard = new Guard(this.#gpu);
    this.#replays = new Replays(this.#gpu, { room: ROOM });
    this.#criterion = new Criterion(critics, recipe);
    this.#lastLayer = discriminator && lastLayer(model);
    this.quantizer = quantizer && set("quantizer", quantizer.parameters, weightDecay);
    this.autoencoder = part && set(part.name, part.parameters, weightDecay);
    this.discriminator = discriminator &&
      set("discriminator", discriminator.parameters, discWeightDecay);
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

  /** Everything that is trained, with its optimizer and average. */
  get sets(): readonly TrainedSet[] {
    return [this.quantizer, this.autoencoder, this.discriminator].filter((set) =>
      set !== undefined
    );
  }

  /** Everything that resuming needs, by its name in training.safetensors. */
  get state(): readonly { readonly prefix: string; readonly parameters: Parameters }[] {
    const { discriminator } = this.critics;
    const buffers = discriminator
      ? [{ prefix: "buffers.discriminator.", parameters: discriminator.buffers }]
      : [];
    return [...this.sets.flatMap(({ state }) => state), ...buffers];
  }

  /**
   * The first loss or gradient that was not finite in the steps so far, if there is one: that step and
   * those after it moved nothing.
   */
  async fault(): Promise<Fault | undefined> {
    return await this.#guard.read();
  }

  /**
   * The bytes of GPU buffers that joint steps take beside what is there, found without doing any; as
   * {@link Adaptation.isReplayed} has them.
   *
   * @param shape The shape of a batch, [B, H, W, 3].
   * @param count How many of them a step has.
   * @returns Infinity where a tensor exceeds what the adapter binds at once.
   */
  measure(shape: Shape, count: number = 1): number {
    const measured = Math.min(count, 3);
    const bytes = this.#measureStep(shape, measured);
    if (measured === count || bytes === Infinity) return bytes;
    // What further batches add is what they bring along, all of them the same.
    return bytes + (count - measured) * (bytes - this.#measureStep(shape, measured - 1));
  }

  /** Continues a run after `step` steps; its {@link Adaptation.state} has been loaded. */
  resume(step: number): void {
    this.#step = step;
    this.#count();
  }

  /**
   * A step of the quantizer alone: L_q + 0.05·L_e on scaled latents [B, h, w, z].
   *
   * @returns What the caller reads or drops, and disposes in either case.
   * @throws {TypeError} where there is no quantizer.
   */
  warmupStep(latents: Tensor): StepResult {
    const { quantizer } = this;
    if (!quantizer) throw new TypeError("warmupStep: the model has no quantizer");
    const side: Side = { sets: [quantizer], norm: "gradNorm" };
    this.#prepare();
    const result = this.#replayed("warmup", { batch: latents }, ({ batch }) => {
      const quantized = this.model.quantizer!.forward(batch);
      const { total, scalars } = this.#ownLosses(quantized);
      const found = gradients(total, quantizer.tensors);
      return this.#updated([side], {
        scalars: { ...scalars, total },
        indices: quantized.indices,
        gradients: found,
      });
    });
    this.#step++;
    return result;
  }

  /**
   * A step of quantizer, autoencoder and discriminator on images [B, H, W, 3] in [-1, 1], by
   * `0.2·L1 + L2 + LPIPS + ramp·w·g + L_q + 0.05·L_e` and the hinge loss.
   *
   * Several batches of one shape make a single step: their gradients are averaged, in their order, as if
   * they were one batch, in the memory of one. Up to rounding the result is the same for losses that are
   * means over images. L_e's mean assignment, the discriminator's batch statistics and the adaptive weight
   * are those of each batch.
   *
   * @returns What the caller reads or drops, and disposes in either case; losses are the batches' mean.
   * @throws {TypeError} while the warm-up has steps left.
   */
  jointStep(...batches: Tensor[]): StepResult {
    if (this.phase === "warmup") {
      const { warmupSteps } = this.recipe;
      throw new TypeError(
        `jointStep: step ${this.#step + 1} is one of ${warmupSteps} of the warm-up`,
      );
    }
    this.#prepare();
    using scope = this.#gpu.scope();
    const { seed } = this.recipe;
    const random = { noise: noiseRandom(seed, this.#step), crops: cropRandom(seed, this.#step) };
    const inputs = batches.map((batch) => this.#inputs(batch, random));
    const result = inputs.length === 1 ? this.#wholeStep(inputs[0]) : this.#accumulated(inputs);
    for (const tensor of result.tensors) scope.keep(tensor);
    this.#step++;
    return result;
  }

  #measureStep(shape: Shape, count: number): number {
    const [sums, step] = [this.#sums, this.#step];
    this.#sums = undefined; // those of a measurement are none of a step
    this.resume(Math.max(step, this.recipe.warmupSteps));
    try {
      return this.#gpu.measure(() => {
        const batches = Array.from({ length: count }, () => empty(this.#gpu, shape));
        this.jointStep(...batches)[Symbol.dispose]();
      }, { room: this.isReplayed ? ROOM : undefined });
    } finally {
      this.#sums = sums;
      this.resume(step);
    }
  }

  #wholeStep(inputs: Inputs): StepResult {
    return this.#replayed(
      "joint",
      inputs,
      (inputs) => this.#updated(this.#sides, this.#backward(inputs)),
    );
  }

  /** The gradients of a batch are added up before those of the next are computed. */
  #accumulated(batches: readonly Inputs[]): StepResult {
    const sums = this.#sums ??= new GradientSums(this.sets);
    sums.clear();
    const results = batches.map((inputs) =>
      this.#replayed("part", inputs, (inputs) => {
        const { scalars, indices, gradients } = this.#backward(inputs, 1 / batches.length);
        sums.add(gradients);
        return { scalars, indices };
      })
    );
    const { scalars, indices } = joinedParts(results);
    const update = this.#replayed(
      "update",
      scalars,
      (scalars) => this.#updated(this.#sides, { scalars, indices: [], gradients: sums.tensors }),
    );
    return new StepResult(update.scalars, indices);
  }

  /** Losses and gradients of a batch that makes up a `share` of its step. */
  #backward({ batch, noise, ramp, ...crops }: Inputs, share: number = 1): FoundGradients {
    const { vae, quantizer } = this.model;
    const { halfActivations } = this.recipe;
    const posterior = withHalfActivations(() => vae.encode(batch), halfActivations);
    const latent = noise ? samplePosterior(posterior, noise) : posterior.mean;
    const quantized = quantizer?.forward(vae.scaleLatent(latent));
    const z = quantized ? vae.unscaleLatent(quantized.fHat) : latent;
    const found = withHalfActivations(() => vae.decode(z), halfActivations);
    const lastLayer = this.#lastLayer;
    const adversarial = lastLayer && { lastLayer, ramp, crop: crops.crop };
    const judged = this.#criterion.generator(found, batch, adversarial);
    const own = quantized ? this.#ownLosses(quantized) : this.#latentLosses(posterior);
    // It has the gradients of all losses, for the cotangent is a constant of it.
    const proxy = add(own.total, sum(mul(found, judged.cotangent)));
    const wanted = this.#sides[0].sets.flatMap(({ tensors }) => tensors);
    const ofGenerator = gradients(affine(proxy, share, 0), wanted);
    const side = this.discriminator &&
      this.#criterion.discriminator(found, batch, { ...crops, share });
    const total = add(judged.total, own.total);
    return {
      scalars: { ...judged.scalars, ...own.scalars, ...side?.scalars, total },
      indices: quantized?.indices ?? [],
      gradients: [...ofGenerator, ...side?.gradients ?? []],
    };
  }

  /** The losses of a quantizer. */
  #ownLosses({ vqLoss: vq, entropyLoss: entropy }: Quantized): OwnLosses {
    if (!entropy) return { total: vq, scalars: { vq } };
    const total = add(vq, affine(entropy, this.recipe.entropyWeight, 0));
    return { total, scalars: { vq, entropy } };
  }

  /** The losses of a latent that stays continuous. */
  #latentLosses(posterior: Posterior): OwnLosses {
    const kl = klLoss(posterior);
    return { total: affine(kl, this.recipe.klWeight, 0), scalars: { kl } };
  }

  /** Moves what is trained against its gradients; what was found, with the norms of these. */
  #updated(sides: readonly Side[], { scalars, indices, gradients }: FoundGradients): Found {
    const sets = sides.map(({ sets }) => sets);
    const shares = split(gradients, sets.flat().map(({ tensors }) => tensors.length));
    const bySet = new Map(sets.flat().map((set, i) => [set, shares[i]]));
    const clips = this.#guard.clip(
      entriesOf(scalars).filter(({ name }) => isLoss(name)),
      sets.map((sets) => sets.flatMap((set) => named(set.names, bySet.get(set)!))),
      this.recipe.clip,
    );
    sides.forEach(({ sets }, i) => {
      for (const set of sets) set.apply(bySet.get(set)!, clips[i].coefficient);
    });
    const norms = sides.map(({ norm }, i) => [norm, clips[i].norm] as const);
    return { scalars: { ...scalars, ...Object.fromEntries(norms) }, indices };
  }

  /** Who is clipped together in a joint step. */
  get #sides(): readonly Side[] {
    const { quantizer, autoencoder, discriminator } = this;
    const generator = [quantizer, autoencoder].filter((set) => set !== undefined);
    const sides: Side[] = [{ sets: generator, norm: "gradNorm" }];
    return discriminator ? [...sides, { sets: [discriminator], norm: "discGradNorm" }] : sides;
  }

  /** What is the same each time is recorded; what is not are inputs, or was told to the GPU before. */
  #replayed(name: string, inputs: Inputs, work: (inputs: Inputs) => Found): StepResult {
    const names = Object.keys(inputs);
    const run: ReplayedWork = (tensors) => {
      const named = Object.fromEntries(tensors.map((tensor, i) => [names[i], tensor]));
      const { scalars, indices } = work(named);
      this.#scalarNames.set(name, Object.keys(scalars));
      return [...Object.values(scalars), ...indices];
    };
    const given = Object.values(inputs);
    const tensors = this.isReplayed ? this.#replays.run(name, given, run) : this.#run(given, run);
    this.#gpu.submit(); // before the host turns to other things, such as the next batch
    const scalars = this.#scalarNames.get(name)!;
    return new StepResult(
      Object.fromEntries(scalars.map((scalar, i) => [scalar, tensors[i]])),
      tensors.slice(scalars.length),
    );
  }

  /** Does work without recording it; only its results stay. */
  #run(inputs: readonly Tensor[], work: ReplayedWork): readonly Tensor[] {
    using scope = this.#gpu.scope();
    return work(inputs).map((tensor) => scope.keep(tensor));
  }

  /** Tells the optimizers of the next step. */
  #prepare(): void {
    this.#count();
    const { phase, recipe: { warmupSteps, steps } } = this;
    // The averages copy the parameters all through the warm-up.
    const ratio = phase === "warmup" ? 0 : emaRatio(this.#step - warmupSteps, steps);
    const sets = phase === "warmup" ? [this.quantizer!] : this.sets;
    for (const set of sets) set.prepare({ lr: this.lr, ratio });
    this.#guard.prepare(this.#step + 1);
  }

  /** Sets how many steps the optimizers have done, also after one that failed. */
  #count(): void {
    for (const { optimizer } of this.sets) {
      optimizer.steps = Math.max(0, this.#step - this.recipe.warmupSteps);
    }
    if (this.quantizer) this.quantizer.optimizer.steps = this.#step;
  }

  /** A batch, and what of its step is decided on the host, where it is the same on every machine. */
  #inputs(batch: Tensor, { noise, crops }: { noise: Random; crops: Random }): Inputs {
    const { vae } = this.model;
    const { samplePosterior, warmupSteps, steps } = this.recipe;
    const [images, ...sides] = batch.shape;
    const [h, w] = sides.map((side) => Math.floor(side / vae.reduction));
    const shape = [images, h, w, vae.config.latentChannels];
    const ramp = Math.min(1, (this.#step - warmupSteps) / steps);
    return {
      batch,
      ...samplePosterior && { noise: normal(this.#gpu, shape, noise) },
      ...this.discriminator && { ramp: fromArray(this.#gpu, [ramp], []) },
      ...this.#crops(batch, crops),
    };
  }

  /** Each of a step's looks of the discriminator has a crop of its own. */
  #crops({ shape: [, height, width] }: Tensor, random: Random): Record<string, Tensor> {
    const { discriminator } = this.critics;
    if (!discriminator) return {};
    const draws = ["crop", "cropReal", "cropFake"].flatMap((name) => {
      const draw = drawCrop(random, { height, width }, discriminator.vit.config.imageSize);
      return draw ? [[name, fromArray(this.#gpu, draw, [draw.length])]] : [];
    });
    return Object.fromEntries(draws);
  }

  /** Frees optimizers, averages and recordings; model and critics stay. */
  [Symbol.dispose](): void {
    this.#replays[Symbol.dispose]();
    this.#guard[Symbol.dispose]();
    this.#sums?.[Symbol.dispose]();
    for (const set of this.sets) set[Symbol.dispose]();
  }
}

function entriesOf(tensors: Readonly<Record<string, Tensor>>): Named[] {
  return named(Object.keys(tensors), Object.values(tensors));
}

function named(names: readonly string[], tensors: readonly Tensor[]): Named[] {
  return names.map((name, i) => ({ name, tensor: tensors[i] }));
}

/** A list as lists of these lengths. */
function split<T>(all: readonly T[], lengths: readonly number[]): (readonly T[])[] {
  let at = 0;
  return lengths.map((length) => all.slice(at, at += length));
}
