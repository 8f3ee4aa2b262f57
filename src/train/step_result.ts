import { concat, mean, stack } from "../ops/mod.ts";
import type { Tensor } from "../tensor/mod.ts";

/** What one step tells beside losses. */
const MEASURES: readonly string[] = [
  "gradNorm",
  "adaptiveWeight",
  "accReal",
  "accFake",
  "discGradNorm",
];

/**
 * The numbers of one step by name.
 *
 * Losses are `total`, what was minimised; `l1`, `l2`, `lpips` or `resnet-perceptual`, and `g` of a
 * reconstruction; `vq` and `entropy` of a quantizer; `kl` of a latent that stays continuous; `d` of the
 * discriminator, which is not in the total. The others are `gradNorm`, the norm of all gradients before
 * clipping, and `discGradNorm`, of the discriminator's; `adaptiveWeight`, what `g` was multiplied by
 * beside the ramp; `accReal` and `accFake`, the shares of the discriminator's logits that are right.
 */
export interface StepNumbers {
  /** What was minimised. */
  readonly total: number;
  /** The norm of all gradients before clipping. */
  readonly gradNorm: number;
  /** The others. */
  readonly [name: string]: number;
}

/** What one step found out, read back in one go. */
export interface StepReport {
  /** The losses and the norm of the gradients. */
  readonly numbers: StepNumbers;
  /** The codes that were chosen, scale by scale. */
  readonly indices: readonly Uint32Array[];
}

/** What one step leaves on the GPU until it is read or dropped. */
export class StepResult implements Disposable {
  /** Losses and all else that {@link StepNumbers} names. */
  readonly scalars: Readonly<Record<string, Tensor>>;
  /** The codes of each scale, u32 [B, h, w]; none without a quantizer. */
  readonly indices: readonly Tensor[];

  /** Takes charge of the tensors. */
  constructor(scalars: Readonly<Record<string, Tensor>>, indices: readonly Tensor[]) {
    this.scalars = scalars;
    this.indices = indices;
  }

  /** Reads everything. The copies are recorded at once: dispose it without waiting. */
  async read(): Promise<StepReport> {
    const values = Object.values(this.scalars).map((scalar) => scalar.item());
    const indices = await Promise.all(this.indices.map((index) => index.readU32()));
    const numbers = await Promise.all(values);
    const entries = Object.keys(this.scalars).map((name, i) => [name, numbers[i]] as const);
    return { numbers: Object.fromEntries(entries) as unknown as StepNumbers, indices };
  }

  /** All of them. */
  get tensors(): readonly Tensor[] {
    return [...Object.values(this.scalars), ...this.indices];
  }

  /** Frees the tensors. */
  [Symbol.dispose](): void {
    for (const tensor of this.tensors) tensor.dispose();
  }
}

/**
 * What the parts of a step found out together: the mean of their scalars, and all of their codes, part
 * after part. It belongs to the current scope.
 */
export function joinedParts(
  parts: readonly StepResult[],
): { scalars: Readonly<Record<string, Tensor>>; indices: readonly Tensor[] } {
  const [first] = parts;
  const scalars = Object.keys(first.scalars).map((name) =>
    [name, mean(stack(parts.map(({ scalars }) => scalars[name])))] as const
  );
  return {
    scalars: Object.fromEntries(scalars),
    indices: first.indices.map((_, scale) => concat(parts.map(({ indices }) => indices[scale]), 0)),
  };
}

/** Whether a scalar of this name is a loss. */
export function isLoss(name: string): boolean {
  return !MEASURES.includes(name);
}

/** The losses among a step's numbers. */
export function lossesOf(numbers: StepNumbers): { total: number; [name: string]: number } {
  const entries = Object.entries(numbers).filter(([name]) => isLoss(name));
  return { ...Object.fromEntries(entries), total: numbers.total };
}

/** The others among a step's numbers, but for the norm of the gradients. */
export function measuresOf(numbers: StepNumbers): { [name: string]: number } {
  const isOther = (name: string) => !isLoss(name) && name !== "gradNorm";
  return Object.fromEntries(Object.entries(numbers).filter(([name]) => isOther(name)));
}
