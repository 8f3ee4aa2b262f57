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

/** The error of an autoencoder whose scale nothing says. */
export function unknownScaling(shape: VaeShape, file: string): TypeError {
  return new TypeError(
    `${file}: is of no published family (${shapeWords(shape)}), so nothing says by what its ` +
      "latent is scaled and shifted: say it with --scale and --shift, or as scaling_factor and " +
      "shift_factor in a config.json beside it",
  );
}
