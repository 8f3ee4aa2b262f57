import type { Parameters } from "../nn/mod.ts";
import { addInto, type Tensor } from "../tensor/mod.ts";
import { zerosLike } from "./like.ts";

/** The gradients of several batches, added up in the order in which they come. */
export class GradientSums implements Disposable {
  #sums: readonly Parameters[];

  /** Zeros for every parameter of these sets. */
  constructor(sets: readonly { readonly parameters: Parameters }[]) {
    this.#sums = sets.map(({ parameters }) => zerosLike(parameters));
  }

  /** One for each parameter, set after set. */
  get tensors(): readonly Tensor[] {
    return this.#sums.flatMap((sums) => [...sums].map(({ tensor }) => tensor));
  }

  /** Begins anew. */
  clear(): void {
    for (const { storage, gpu } of this.tensors) gpu.clear(storage);
  }

  /** Adds a batch's gradients, which are in the order of {@link GradientSums.tensors}. */
  add(gradients: readonly Tensor[]): void {
    this.tensors.forEach((sum, i) => addInto(sum, gradients[i]));
  }

  /** Frees the sums. */
  [Symbol.dispose](): void {
    for (const sums of this.#sums) sums[Symbol.dispose]();
  }
}
