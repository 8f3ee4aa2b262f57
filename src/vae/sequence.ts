import type { Tensor } from "../tensor/mod.ts";
import type { FeatureMap, Stages } from "./stages.ts";

/** Anything that maps one tensor to one tensor. */
export interface Layer {
  /** Applies it. */
  forward(x: Tensor): Tensor;
  /** Adds it to the stages of a network and returns its map. */
  addTo(stages: Stages, map: FeatureMap): FeatureMap;
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

  /** Adds all layers. */
  addTo(stages: Stages, map: FeatureMap): FeatureMap {
    return this.#layers.reduce((before, layer) => layer.addTo(stages, before), map);
  }
}
