/** What a model computed is not finite, so that no image can be made of it. */
export class NotFiniteError extends RangeError {
  /** The class's own name, so that printed errors say what they are. */
  override name: string = "NotFiniteError";
}

/** A model with feature maps in f16 had values there that f16 cannot hold; without half it has none. */
export class HalfOverflowError extends NotFiniteError {
  /** The class's own name, so that printed errors say what they are. */
  override name: string = "HalfOverflowError";
}

/**
 * Throws where values that a model made are not finite: rounded to 8 bits they would be black. Each of its
 * feature maps is normed on the way to its result, so in f16 one value that exceeds 65504 anywhere makes
 * that NaN; in f32 it is the weights.
 *
 * @param half Whether its feature maps are in f16.
 */
export function expectFinite(
  what: string,
  values: Float32Array | Uint32Array,
  half: boolean,
): void {
  if (values.every(Number.isFinite)) return;
  if (!half) {
    throw new NotFiniteError(
      `${what} is not finite: the model's weights are damaged, or too large for what it is given; ` +
        "fetch or train it again",
    );
  }
  throw new HalfOverflowError(
    `${what} is not finite: a feature map exceeds 65504, the most that 16 bits hold: ` +
      "load the model without half (--half)",
  );
}
