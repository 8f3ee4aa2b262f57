import { shapeWords, type VaeConfig, type VaeShape } from "./config.ts";
import { familiesOf, type VaeFamily } from "./families.ts";

/** By what a latent is scaled and shifted. */
export type Scaling = Pick<VaeConfig, "scale" | "shift">;

/**
 * Scale and shift: what was told, else what the family has; undefined where nothing says the scale. A
 * scale that is a family's brings that family's shift; one that is nobody's goes with none, as in
 * diffusers.
 *
 * @param families The families of the shape, the likeliest first.
 */
export function knownScaling(
  shape: VaeShape,
  { scale, shift }: Partial<Scaling>,
  families: readonly VaeFamily[] = familiesOf(shape).families,
): Scaling | undefined {
  if (scale !== undefined) {
    const family = families.find(({ config }) => config.scale === scale);
    return { scale, shift: shift ?? family?.config.shift ?? 0 };
  }
  if (families.length === 0) return undefined;
  const { config } = families[0];
  return { scale: config.scale, shift: shift ?? config.shift };
}

/** What stands for a scale that is measured when training is done, and not before. */
const UNMEASURED = "unmeasured";

/** A `config.json` without its scale and shift, and with a word that they are still to be measured. */
export function unmeasured(json: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const { shift_factor: _, ...rest } = json;
  return { ...rest, scaling_factor: UNMEASURED };
}

/** Whether a `config.json` is {@link unmeasured}. */
export function isUnmeasured(json: Readonly<Record<string, unknown>>): boolean {
  return json.scaling_factor === UNMEASURED;
}

/** The error of an autoencoder that is used before its latent was measured. */
export function unmeasuredScaling(file: string): TypeError {
  return new TypeError(
    `${file}: is of a VAE before the end of its training, where the latent's scale and shift are ` +
      "measured, of the last weights and the best: finish the run with coda train-vae --out DIR " +
      "--resume, or say both with --scale and --shift",
  );
}

/** The error of an autoencoder whose scale nothing says. */
export function unknownScaling(shape: VaeShape, file: string): TypeError {
  return new TypeError(
    `${file}: is of no published family (${shapeWords(shape)}), so nothing says by what its ` +
      "latent is scaled and shifted: say it with --scale and --shift, or as scaling_factor and " +
      "shift_factor in a config.json beside it",
  );
}
