import type { Tensor } from "../tensor/mod.ts";

/** The scalars of one step, still on the GPU. */
export interface StepScalars {
  /** What was minimised. */
  readonly total: Tensor;
  /** L1; only in a joint step. */
  readonly l1?: Tensor;
  /** L2; only in a joint step. */
  readonly l2?: Tensor;
  /** L_q. */
  readonly vq: Tensor;
  /** L_e. */
  readonly entropy: Tensor;
  /** The norm of all gradients before clipping. */
  readonly gradNorm: Tensor;
}

/** The losses of one step and the norm of its gradients. */
export type StepNumbers = { [name in keyof StepScalars]: number };

/** What one step found out, read back in one go. */
export interface StepReport {
  /** The losses and the norm of the gradients. */
  readonly numbers: StepNumbers;
  /** The codes that were chosen, scale by scale. */
  readonly indices: readonly Uint32Array[];
}

/** What one step leaves on the GPU until it is read or dropped. */
export class StepResult implements Disposable {
  /** Losses and gradient norm. */
  readonly scalars: StepScalars;
  /** The codes of each scale, u32 [B, h, w]. */
  readonly indices: readonly Tensor[];

  /** Takes charge of the tensors. */
  constructor(scalars: StepScalars, indices: readonly Tensor[]) {
    this.scalars = scalars;
    this.indices = indices;
  }

  /** Reads everything. The copies are recorded at once: dispose it without waiting. */
  async read(): Promise<StepReport> {
    const names = Object.keys(this.scalars) as (keyof StepScalars)[];
    const values = names.map((name) => this.scalars[name]!.item());
    const indices = await Promise.all(this.indices.map((index) => index.readU32()));
    const entries = (await Promise.all(values)).map((value, i) => [names[i], value]);
    return { numbers: Object.fromEntries(entries), indices };
  }

  /** Frees the tensors. */
  [Symbol.dispose](): void {
    for (const tensor of Object.values(this.scalars)) tensor.dispose();
    for (const index of this.indices) index.dispose();
  }
}
