import { LayerNorm, Linear, type Parameters } from "../../nn/mod.ts";
import { add, attention, gelu, slice } from "../../ops/mod.ts";
import type { Tensor } from "../../tensor/mod.ts";

/** What DINO's layer norms add to the variance. */
const EPS = 1e-6;

/** A pre-norm transformer block (Dosovitskiy et al. 2021): self-attention, then a perceptron 4 times as wide. */
export class VitBlock {
  readonly #norm1: LayerNorm;
  readonly #qkv: Linear;
  readonly #proj: Linear;
  readonly #norm2: LayerNorm;
  readonly #fc1: Linear;
  readonly #fc2: Linear;
  readonly #heads: number;

  /** Declares its parameters. */
  constructor(parameters: Parameters, width: number, heads: number) {
    this.#heads = heads;
    this.#norm1 = new LayerNorm(parameters.at("norm1"), width, { eps: EPS });
    this.#qkv = new Linear(parameters.at("attn").at("qkv"), width, 3 * width);
    this.#proj = new Linear(parameters.at("attn").at("proj"), width, width);
    this.#norm2 = new LayerNorm(parameters.at("norm2"), width, { eps: EPS });
    this.#fc1 = new Linear(parameters.at("mlp").at("fc1"), width, 4 * width);
    this.#fc2 = new Linear(parameters.at("mlp").at("fc2"), 4 * width, width);
  }

  /** [B, T, width] → the same shape. */
  forward(x: Tensor): Tensor {
    using scope = x.gpu.scope();
    const attended = add(x, this.#attention(this.#norm1.forward(x)));
    const hidden = gelu(this.#fc1.forward(this.#norm2.forward(attended)));
    return scope.keep(add(attended, this.#fc2.forward(hidden)));
  }

  #attention(x: Tensor): Tensor {
    const [batch, tokens, width] = x.shape;
    const all = this.#qkv.forward(x);
    const [q, k, v] = [0, 1, 2].map((part) =>
      slice(all, [0, 0, part * width], [batch, tokens, (part + 1) * width])
    );
    return this.#proj.forward(attention(q, k, v, { heads: this.#heads }));
  }
}
