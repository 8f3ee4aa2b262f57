import type { Tensor } from "../tensor/mod.ts";

/** Anything that maps one tensor to one tensor. */
export interface Layer {
  /** Applies it. */
  forward(x: Tensor): Tensor;
}

/** Layers one after another; each result is freed as soon as the next layer has used it. */
export class Sequence implements Layer {
  #layers: readonly Layer[];

  /** The layers, in order. */
  constructor(layers: readonly Layer[]) {
    this.#layers = layers;
  }

  /** Applies all layers. `x` itself is left to its owner. */
  forward(x: Tensor): Tensor {
    let hidden = x;
    for (const layer of this.#layers) {
      const next = layer.forward(hidden);
      if (hidden !== x) hidden.dispose();
      hidden = next;
    }
    return hidden;
  }
}
