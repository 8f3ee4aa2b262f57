import { defineKernel, gridFor, type Storage } from "../gpu/mod.ts";
import type { Page, Parameters } from "../nn/mod.ts";
import { empty, ShapeError, shapeText, Tensor } from "../tensor/mod.ts";
import { blockGroups } from "./blocks.ts";
import type { Ema } from "./ema.ts";
import { zerosLike } from "./like.ts";

const kernel = defineKernel("adamw");
const gradientKernel = defineKernel("gradients");

/** What AdamW is set to for a whole run; the defaults are the recipe's (SPEC section 6). */
export interface AdamWOptions {
  /** Decay of the first and the second moment; (0.5, 0.9). */
  betas?: readonly [number, number];
  /** Added to the root of the second moment; 1e-8. */
  eps?: number;
  /** Decoupled weight decay, on every parameter; 0.005. */
  weightDecay?: number;
}

/** What the host decides for one step. */
export interface AdamWRates {
  /** The learning rate of this step. */
  lr: number;
  /** How much of a moving average stays, as {@link emaRatio} gives it; default 0, a plain copy. */
  ratio?: number;
}

/** What one step needs beside the gradients. */
export interface AdamWStep extends AdamWRates {
  /** One f32 that every gradient is multiplied by, as {@link clipCoefficient} gives it. */
  coefficient: Tensor;
  /** The moving average to be updated in the same pass over memory. */
  ema?: Ema;
}

/**
 * AdamW (Loshchilov & Hutter 2019) with PyTorch's arithmetic, on the GPU and in place:
 * `p ← p·(1 − lr·λ) − lr/(1 − β₁ᵗ) · m / (√v/√(1 − β₂ᵗ) + ε)`.
 *
 * One dispatch moves all parameters of a page. What changes from step to step lies in a small buffer
 * that {@link AdamW.prepare} writes, so the dispatches of {@link AdamW.apply} are the same each time.
 *
 * @example
 * ```ts
 * import { AdamW, clipCoefficient, Gpu, Parameters } from "@coda/tokenizer";
 * import { fromArray } from "@coda/tokenizer/tensor";
 *
 * using gpu = await Gpu.create();
 * using parameters = new Parameters(gpu);
 * parameters.declare("weight", [2]);
 * parameters.set("weight", new Float32Array([1, 1]));
 * using optimizer = new AdamW(parameters, { weightDecay: 0 });
 * const gradients = [fromArray(gpu, [3, -4], [2])];
 * optimizer.step(gradients, { lr: 0.1, ...clipCoefficient(gradients, 10) });
 * const [{ data }] = await parameters.weights(); // the first step has the length of lr
 * console.assert(Math.abs(data[0] - 0.9) < 1e-6 && Math.abs(data[1] - 1.1) < 1e-6);
 * ```
 */
export class AdamW implements Disposable {
  /** What it trains. */
  readonly parameters: Parameters;
  /** m, the first moments, by parameter name. */
  readonly first: Parameters;
  /** v, the second moments, by parameter name. */
  readonly second: Parameters;
  /** t, how many steps were taken; set it when a run is resumed. */
  steps = 0;
  #options: Required<AdamWOptions>;
  #scalars: Tensor;

  /** Moments begin at zero. Lays the parameters on pages; see {@link Parameters.pages}. */
  constructor(
    parameters: Parameters,
    { betas = [0.5, 0.9], eps = 1e-8, weightDecay = 0.005 }: AdamWOptions = {},
  ) {
    this.parameters = parameters;
    this.first = zerosLike(parameters);
    this.second = zerosLike(parameters);
    for (const set of [parameters, this.first, this.second]) set.pages();
    this.#options = { betas, eps, weightDecay };
    const { gpu } = parameters;
    this.#scalars = new Tensor(gpu, gpu.allocate(4 * SCALARS), [SCALARS], "f32");
  }

  /**
   * Moves every parameter against its gradient: {@link AdamW.prepare} and {@link AdamW.apply}.
   *
   * @param gradients One per parameter, in the order of {@link AdamW.parameters}.
   * @throws {ShapeError} where a gradient is missing or of another size.
   */
  step(gradients: readonly Tensor[], step: AdamWStep): void {
    this.prepare(step);
    this.apply(gradients, step);
  }

  /** Counts a step and tells the GPU its numbers; {@link AdamW.apply} follows. */
  prepare({ lr, ratio = 0 }: AdamWRates): void {
    const { betas: [beta1, beta2], weightDecay } = this.#options;
    this.steps++;
    this.#scalars.write(
      Float32Array.of(
        1 - lr * weightDecay,
        lr / (1 - beta1 ** this.steps),
        Math.sqrt(1 - beta2 ** this.steps),
        ratio,
        1 - ratio,
      ),
    );
  }

  /**
   * The dispatches of a step, which read everything that changes from the GPU.
   *
   * @param gradients One per parameter, in the order of {@link AdamW.parameters}.
   * @throws {ShapeError} where a gradient is missing or of another size.
   */
  apply(
    gradients: readonly Tensor[],
    { coefficient, ema }: Pick<AdamWStep, "coefficient" | "ema">,
  ): void {
    [...this.parameters].forEach(({ name, tensor }, i) =>
      checkGradient(name, tensor, gradients[i])
    );
    using _scope = this.parameters.gpu.scope();
    const first = this.first.pages();
    const second = this.second.pages();
    const average = ema?.average.pages();
    let at = 0;
    this.parameters.pages().forEach((page, i) => {
      const given = gradients.slice(at, at += page.parameters.length);
      const bind = {
        gradient: laid(given, page).storage,
        coefficient: coefficient.storage,
        scalars: this.#scalars.storage,
        parameter: page.storage,
        first: first[i].storage,
        second: second[i].storage,
      };
      this.#move(page, average ? { ...bind, average: average[i].storage } : bind);
    });
  }

  #move({ size }: Page, bind: Record<string, Storage>): void {
    const { betas: [beta1, beta2], eps } = this.#options;
    this.parameters.gpu.run(kernel, "average" in bind ? "step_average" : "step", {
      bind,
      params: { quads: size / 4, beta1, beta2, rest1: 1 - beta1, rest2: 1 - beta2, eps },
      grid: gridFor(size / 4, 64),
    });
  }

  /** Frees the moments; the parameters stay. */
  [Symbol.dispose](): void {
    this.first[Symbol.dispose]();
    this.second[Symbol.dispose]();
    this.#scalars.dispose();
  }
}

/** What {@link AdamW.prepare} writes, as the kernel numbers it. */
const SCALARS = 5;

/** The gradients as the page's parameters lie. */
function laid(gradients: readonly Tensor[], { size }: Page): Tensor {
  const { gpu } = gradients[0];
  const page = empty(gpu, [size]);
  for (const { bind, params, blocks } of blockGroups(gradients)) {
    gpu.run(gradientKernel, "lay", {
      bind: { ...bind, page: page.storage },
      params: { ...params, count: 0, max_norm: 0 },
      grid: gridFor(blocks, 1),
    });
  }
  return page;
}

function checkGradient(name: string, tensor: Tensor, gradient: Tensor | undefined): void {
  if (gradient?.size === tensor.size) return;
  throw new ShapeError(
    "adamw",
    `parameter ${name} ${shapeText(tensor.shape)} has a gradient ` +
      `${gradient ? shapeText(gradient.shape) : "missing"}`,
  );
}
