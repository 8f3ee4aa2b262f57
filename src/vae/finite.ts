import type { Parameters } from "../nn/mod.ts";

/** What a model computed is not finite, so that neither tokens nor an image can be made of it. */
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
 * Throws where values that a model made are not finite: rounded to 8 bits they would be black, and among
 * logits that are no numbers some code is still the largest. Each of its feature maps is normed on the way
 * to its result, so in f16 one value that exceeds 65504 anywhere makes that NaN; in f32 it is the weights.
 *
 * @param half Whether its feature maps are in f16.
 */
export function expectFinite(
  what: string,
  values: Float32Array | Uint32Array,
  half: boolean,
): void {
  if (values.every(Number.isFinite)) return;
  const found = `${what} is not finite, ${countText(values)}`;
  if (!half) {
    throw new NotFiniteError(
      `${found}: the model's weights are damaged, or too large for what it is given; ` +
        "fetch or train it again",
    );
  }
  throw new HalfOverflowError(
    `${found}: a feature map exceeds 65504, the most that 16 bits hold: ` +
      "load the model without half (--half)",
  );
}

/**
 * Throws where a model's weights are not finite: what is computed with them may still be, as a code is that
 * is chosen by them.
 *
 * @param what Whose they are.
 */
export async function expectFiniteWeights(what: string, parameters: Parameters): Promise<void> {
  for (const { name, tensor } of parameters) {
    const values = await tensor.readF32();
    if (values.every(Number.isFinite)) continue;
    throw new NotFiniteError(
      `${what}'s ${name} is not finite, ${countText(values)}: its weights are damaged; ` +
        "fetch or train it again",
    );
  }
}

function countText(values: Float32Array | Uint32Array): string {
  let count = 0;
  for (const value of values) if (!Number.isFinite(value)) count++;
  return `${count} of ${values.length} values`;
}
