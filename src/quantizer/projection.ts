import { LayerNorm, type Linear, type Parameters, RMSNorm } from "../nn/mod.ts";
import type { Tensor } from "../tensor/mod.ts";
import type { RowMap } from "./codebook_view.ts";
import type { QuantizerNorm } from "./config.ts";

/** A linear map of rows, with a norm behind it or without: queries, keys or values. */
export class Projection implements RowMap {
  /** [c] → [d]. */
  readonly linear: Linear;
  /** Over d. */
  readonly norm: RMSNorm | LayerNorm | undefined;

  /** Of layers that exist. */
  constructor(linear: Linear, norm?: RMSNorm | LayerNorm) {
    this.linear = linear;
    this.norm = norm;
  }

  /** [..., c] → [..., d]. */
  forward(rows: Tensor): Tensor {
    const y = this.linear.forward(rows);
    return this.norm ? this.norm.forward(y) : y;
  }

  /** The layers' parameters. */
  get parameters(): readonly Tensor[] {
    const { linear, norm } = this;
    const shift = norm && "bias" in norm ? [norm.bias] : [];
    return [linear.weight, linear.bias, ...(norm ? [norm.weight] : []), ...shift];
  }
}

/** Declares the norm that a configuration names; "none" has no parameters. */
export function normLayer(
  parameters: Parameters,
  norm: QuantizerNorm,
  channels: number,
): RMSNorm | LayerNorm | undefined {
  if (norm === "none") return undefined;
  return norm === "rms" ? new RMSNorm(parameters, channels) : new LayerNorm(parameters, channels);
}
