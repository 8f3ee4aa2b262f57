/** A model with feature maps in f16 had values there that f16 cannot hold; without half it has none. */
export class HalfOverflowError extends RangeError {
  /** The class's own name, so that printed errors say what they are. */
  override name: string = "HalfOverflowError";
}

/**
 * Throws where values that a model made of feature maps in f16 are not finite. Each of its maps is normed
 * on the way to its result, so one value that exceeds 65504 anywhere makes that NaN.
 */
export function expectFinite(what: string, values: Float32Array | Uint32Array): void {
  if (values.every(Number.isFinite)) return;
  throw new HalfOverflowError(
    `${what} is not finite: a feature map exceeds 65504, the most that 16 bits hold: ` +
      "load the model without half (--half)",
  );
}
