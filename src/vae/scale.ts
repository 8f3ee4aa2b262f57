import { shapeWords, type VaeConfig, type VaeShape } from "./config.ts";
import { familiesOf, type VaeFamily } from "./families.ts";

/** By what a latent is scaled and shifted. */
export type Scaling = Pick<VaeConfig, "scale" | "shift">;

/**
 * Scale and shift: what was told, else what the family has. A scale that is a family's brings that
 * family's shift; one that is nobody's goes with none, as in diffusers.
 *
 * @throws {TypeError} where nothing says the scale.
 */
export function scaleAndShift(
  shape: VaeShape,
  told: Partial<Scaling>,
  file: string,
  families: readonly VaeFamily[] = familiesOf(shape).families,
): Scaling {
  const { scale, shift } = told;
  if (scale !== undefined) {
    const family = families.find(({ config }) => config.scale === scale);
    return { scale, shift: shift ?? family?.config.shift ?? 0 };
  }
  if (families.length > 0) {
    const { config } = families[0];
    return { scale: config.scale, shift: shift ?? config.shift };
  }
  throw new TypeError(
    `${file}: is of no published family (${shapeWords(shape)}), so nothing says by what its ` +
      "latent is scaled and shifted: say it with --scale and --shift, or as scaling_factor and " +
      "shift_factor in a config.json beside it",
  );
}
