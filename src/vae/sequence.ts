import type { Conv2d } from "../nn/mod.ts";
import { checkpoint, type Tensor } from "../tensor/mod.ts";
import type { FeatureMap, Stages } from "./stages.ts";

/** Anything that maps one tensor to one tensor. */
export interface Layer {
  /** Applies it. */
  forward(x: Tensor): Tensor;
  /** Adds it to the stages of a network and returns its map. */
  addTo(stages: Stages, map: FeatureMap): FeatureMap;
}

/** How layers are trained; it may change. */
export interface LayerTraining {
  /** Whether each layer keeps its input alone for its gradients, and is done again for them. */
  checkpointing: boolean;
}

/** A convolution as a layer. */
export function convLayer(conv: Conv2d): Layer {
  return {
    forward: (x) => conv.forward(x),
    addTo: (stages, map) => stages.conv(conv, map),
  };
}

/** Layers one after another; each result is freed as soon as the next layer has used it. */
export class Sequence implements Layer {
  #layers: readonly Layer[];
  #training: LayerTraining | undefined;

  /** The layers, in order. A sequence without `training` is one layer to that which it is a part of. */
  constructor(layers: readonly Layer[], training?: LayerTraining) {
    this.#layers = layers;
    this.#training = training;
  }

  /** Applies all layers. `x` itself is left to its owner. */
  forward(x: Tensor): Tensor {
    let hidden = x;
    for (const layer of this.#layers) {
      const next = this.#training?.checkpointing
        ? checkpoint(([x]) => layer.forward(x), [hidden])
        : layer.forward(hidden);
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
