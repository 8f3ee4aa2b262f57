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

  /** The result whose {@link StepResult.tensors} these are. */
  static of(tensors: readonly Tensor[], isJoint: boolean): StepResult {
    const [total, ...others] = tensors;
    const [l1, l2] = isJoint ? others.splice(0, 2) : [];
    const [vq, entropy, gradNorm, ...indices] = others;
    const scalars = { vq, entropy, gradNorm };
    return new StepResult(isJoint ? { total, l1, l2, ...scalars } : { total, ...scalars }, indices);
  }

  /** All tensors, as a recorded step puts them out. */
  get tensors(): Tensor[] {
    const { total, l1, l2, vq, entropy, gradNorm } = this.scalars;
    const losses = l1 && l2 ? [total, l1, l2] : [total];
    return [...losses, vq, entropy, gradNorm, ...this.indices];
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
