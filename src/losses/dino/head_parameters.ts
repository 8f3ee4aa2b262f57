import type { Parameters } from "../../nn/mod.ts";

/** Where a discriminator's modules declare: what an optimizer moves, and what their forward does. */
export class HeadParameters {
  /** Trained by gradients. */
  readonly trained: Parameters;
  /** Moved by forwards in training: spectral-norm vectors and running statistics. */
  readonly buffers: Parameters;

  /** Both sets, under the same names. */
  constructor(trained: Parameters, buffers: Parameters) {
    this.trained = trained;
    this.buffers = buffers;
  }

  /** The same sets, where every name is taken below `name.`. */
  at(name: string): HeadParameters {
    return new HeadParameters(this.trained.at(name), this.buffers.at(name));
  }
}
