import { type Conv2d, GroupNorm, type Parameters } from "../nn/mod.ts";
import { attentionOfSome } from "../ops/attention.ts";
import { attentionToSome, joinAttention, joinedAttention } from "../ops/attention_parts.ts";
import { attention, reshape } from "../ops/mod.ts";
import type { Tensor } from "../tensor/mod.ts";
import { type BlockContext, makeConv } from "./blocks.ts";
import type { Layer } from "./sequence.ts";
import {
  bandsOf,
  type FeatureMap,
  type Part,
  type Reading,
  type Rows,
  sameRows,
  type Stages,
} from "./stages.ts";

/** Single-head self-attention over all positions, plus the input. */
export class AttentionBlock implements Layer {
  #norm: GroupNorm;
  #q: Conv2d;
  #k: Conv2d;
  #v: Conv2d;
  #out: Conv2d;

  /** Declares norm, q, k, v and proj_out. */
  constructor(context: BlockContext, parameters: Parameters, channels: number) {
    const pointwise = (name: string, dtype?: "f32") =>
      makeConv(context, parameters.at(name), channels, channels, { kernel: 1, dtype });
    this.#norm = new GroupNorm(parameters.at("norm"), channels, context.groups);
    // Scores are sums over all channels, which f16 may not hold: attention is in f32 throughout.
    this.#q = pointwise("q", "f32");
    this.#k = pointwise("k", "f32");
    this.#v = pointwise("v", "f32");
    this.#out = pointwise("proj_out");
  }

  /** Keeps the shape [N, H, W, C]. */
  forward(x: Tensor): Tensor {
    using scope = x.gpu.scope();
    const [batch, height, width, channels] = x.shape;
    const normed = this.#norm.forward(x);
    const [q, k, v] = [this.#q, this.#k, this.#v].map((map) =>
      reshape(map.forward(normed), [batch, height * width, channels])
    );
    return scope.keep(this.#plus(x, attention(q, k, v)));
  }

  /** The same as stages: keys and values in two, then what queries find there band by band. */
  addTo(stages: Stages, map: FeatureMap): FeatureMap {
    const [keys, values] = [this.#k, this.#v].map((conv) =>
      stages.conv(conv, map, { norm: this.#norm, silu: false })
    );
    const parts = bandsOf(map, Math.ceil(map.height / stages.keyParts));
    if (parts.length > 1) return this.#addInParts(stages, map, keys, values, parts);
    return stages.add({
      result: { ...map },
      readings: [this.#reading(map), wholly(keys), wholly(values)],
      compute: ([part, { tensor: k }, { tensor: v }]) => {
        using scope = k.gpu.scope();
        const found = attentionOfSome(this.#queriesOf(part), tokens(k), tokens(v));
        return scope.keep(this.#plus(part.tensor, found));
      },
    });
  }

  /** A stage for each part of the keys, which joins what it finds with what those before it found. */
  #addInParts(
    stages: Stages,
    map: FeatureMap,
    keys: FeatureMap,
    values: FeatureMap,
    parts: readonly Rows[],
  ): FeatureMap {
    let found: FeatureMap | undefined;
    for (const rows of parts) {
      const theirs = [keys, values].map((map) => ({ map, rows: () => rows }));
      const before = found ? [{ map: found, rows: sameRows }] : [];
      found = stages.add({
        result: { ...map, channels: map.channels + 1, dtype: "f32" },
        readings: [this.#reading(map), ...theirs, ...before],
        compute: ([part, { tensor: k }, { tensor: v }, before]) => {
          using scope = k.gpu.scope();
          const some = attentionToSome(this.#queriesOf(part), tokens(k), tokens(v));
          const all = before ? joinAttention(tokens(before.tensor), some) : some;
          return scope.keep(reshape(all, part.tensor.shape.with(3, map.channels + 1)));
        },
      });
    }
    return stages.add({
      result: { ...map },
      readings: [map, found!].map((map) => ({ map, rows: sameRows })),
      compute: ([{ tensor: x }, { tensor }]) => {
        using scope = x.gpu.scope();
        return scope.keep(this.#plus(x, joinedAttention(tokens(tensor))));
      },
    });
  }

  /** A reading of what queries are made of. */
  #reading(map: FeatureMap): Reading {
    return { map, rows: sameRows, groups: this.#norm.groups };
  }

  /** The queries of a part, [1, T, C]. */
  #queriesOf({ tensor, statistics }: Part): Tensor {
    using scope = tensor.gpu.scope();
    return scope.keep(tokens(this.#q.forward(this.#norm.forwardPart(tensor, statistics!))));
  }

  #plus(x: Tensor, found: Tensor): Tensor {
    using scope = x.gpu.scope();
    return scope.keep(this.#out.forward(reshape(found, x.shape), { residual: x }));
  }
}

/** A reading of all rows. */
function wholly(map: FeatureMap): Reading {
  return { map, rows: () => ({ from: 0, to: map.height }) };
}

/** [1, H, W, C] → [1, H·W, C]. */
function tokens(x: Tensor): Tensor {
  return reshape(x, [1, -1, x.shape[3]]);
}
