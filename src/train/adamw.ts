import { defineKernel, gridFor } from "../gpu/mod.ts";
import type { Parameters } from "../nn/mod.ts";
import { ShapeError, shapeText, type Tensor } from "../tensor/mod.ts";
import { zerosLike } from "./like.ts";

const kernel = defineKernel("adamw");

/** What AdamW is set to for a whole run; the defaults are the recipe's (SPEC section 6). */
export interface AdamWOptions {
  /** Decay of the first and the second moment; (0.5, 0.9). */
  betas?: readonly [number, number];
  /** Added to the root of the second moment; 1e-8. */
  eps?: number;
  /** Decoupled weight decay, on every parameter; 0.005. */
  weightDecay?: number;
}

/** What one step needs beside the gradients. */
export interface AdamWStep {
  /** The learning rate of this step. */
  lr: number;
  /** One f32 that every gradient is multiplied by, as {@link clipCoefficient} gives it. */
  coefficient: Tensor;
}

/**
 * AdamW (Loshchilov & Hutter 2019) with PyTorch's arithmetic, on the GPU and in place:
 * `p ← p·(1 − lr·λ) − lr/(1 − β₁ᵗ) · m / (√v/√(1 − β₂ᵗ) + ε)`.
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

  /** Moments begin at zero. */
  constructor(
    parameters: Parameters,
    { betas = [0.5, 0.9], eps = 1e-8, weightDecay = 0.005 }: AdamWOptions = {},
  ) {
    this.parameters = parameters;
    this.first = zerosLike(parameters);
    this.second = zerosLike(parameters);
    this.#options = { betas, eps, weightDecay };
  }

  /**
   * Moves every parameter against its gradient.
   *
   * @param gradients One per parameter, in the order of {@link AdamW.parameters}.
   * @throws {ShapeError} where a gradient is missing or of another size.
   */
  step(gradients: readonly Tensor[], { lr, coefficient }: AdamWStep): void {
    const { betas: [beta1, beta2], eps, weightDecay } = this.#options;
    this.steps++;
    const constants = {
      decay: 1 - lr * weightDecay,
      beta1,
      beta2,
      rest1: 1 - beta1,
      rest2: 1 - beta2,
      step_size: lr / (1 - beta1 ** this.steps),
      root_correction2: Math.sqrt(1 - beta2 ** this.steps),
      eps,
    };
    const first = [...this.first];
    const second = [...this.second];
    [...this.parameters].forEach(({ name, tensor }, i) => {
      checkGradient(name, tensor, gradients[i]);
      tensor.gpu.run(kernel, "step", {
        bind: {
          gradient: gradients[i].storage,
          coefficient: coefficient.storage,
          parameter: tensor.storage,
          first: first[i].tensor.storage,
          second: second[i].tensor.storage,
        },
        params: { size: tensor.size, ...constants },
        grid: gridFor(tensor.size, 64),
      });
    });
  }

  /** Frees the moments; the parameters stay. */
  [Symbol.dispose](): void {
    this.first[Symbol.dispose]();
    this.second[Symbol.dispose]();
  }
}

function checkGradient(name: string, tensor: Tensor, gradient: Tensor | undefined): void {
  if (gradient?.size === tensor.size) return;
  throw new ShapeError(
    "adamw",
    `parameter ${name} ${shapeText(tensor.shape)} has a gradient ` +
      `${gradient ? shapeText(gradient.shape) : "missing"}`,
  );
}
