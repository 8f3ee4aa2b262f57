import {
  familiesOf,
  inferVaeShape,
  reductionOf,
  VAE_FAMILIES,
  type VaeShape,
  vaeShapes,
} from "../../vae/mod.ts";
import type { Checkpoint } from "../checkpoint.ts";
import { type FamilyGuess, guessFamily } from "../family.ts";
import type { TokenizerOptions } from "../load_tokenizer.ts";
import type { VaePart } from "../parts.ts";
import { adaptedConvs, describeVae, LORA_TENSOR } from "../vae_of.ts";
import { amountOf } from "./amount.ts";
import { differenceOf, nearestFamily, type ShapesByName } from "./difference.ts";
import { accepted } from "./refusal.ts";
import { shapeDifference } from "./shape_difference.ts";
import type { InspectedFamily, InspectedLora, InspectedVae, NearestFamily } from "./types.ts";

/** What there is to say of a checkpoint's autoencoder, be it sound or not. */
export function inspectVae(
  checkpoint: Checkpoint,
  part: VaePart,
  options: TokenizerOptions,
): InspectedVae {
  const { weights, file, layout, prefix, unknown } = part;
  const described = accepted(() => describeVae(checkpoint, options));
  const shape = described?.shape ?? shapeIn(weights);
  const base = weights.names.filter((name) => !LORA_TENSOR.test(name));
  const found = new Map(base.map((name) => [name, weights.info(name).shape] as const));
  for (const name of unknown) found.set(name, file.info(name).shape);
  const own = new Set(unknown);
  const nameInFile = (name: string) => own.has(name) ? name : weights.nameInFile(name);
  const guess = described?.guess ?? (shape && guessFamily(shape, file));
  return {
    ...amountOf(weights, base),
    layout,
    prefix,
    family: guess && familyIn(guess),
    shape,
    reduction: shape && reductionOf(shape),
    scale: described?.scaling?.scale,
    shift: described?.scaling?.shift,
    scaledBy: described?.scaledBy,
    lora: loraIn(weights),
    difference: shape && differenceOf("its own shape", found, vaeShapes(shape), nameInFile),
    nearest: shape && isPublished(shape) ? undefined : nearestTo(found, shape, nameInFile),
  };
}

/** What the weights alone say of the shape; undefined where too much is missing. */
function shapeIn(weights: VaePart["weights"]): VaeShape | undefined {
  try {
    return inferVaeShape(weights);
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}

function familyIn({ families, by, width }: FamilyGuess): InspectedFamily | undefined {
  const [first, ...others] = families;
  return first && { name: first.name, others: others.map(({ name }) => name), by, width };
}

function isPublished(shape: VaeShape): boolean {
  const { families, width } = familiesOf(shape);
  return families.length > 0 && width === 1;
}

function nearestTo(
  found: ShapesByName,
  shape: VaeShape | undefined,
  nameInFile: (name: string) => string,
): NearestFamily {
  const [build] = shape ? familiesOf(shape).families : [];
  const difference = build
    ? differenceOf(build.name, found, vaeShapes(build.config), nameInFile)
    : nearestFamily(found, nameInFile);
  const { config } = VAE_FAMILIES.find(({ name }) => name === difference.model)!;
  return {
    name: difference.model,
    otherwise: shape ? shapeDifference(shape, config) : [],
    difference,
  };
}

function loraIn(weights: VaePart["weights"]): InspectedLora | undefined {
  const names = weights.names.filter((name) => LORA_TENSOR.test(name));
  const down = names.find((name) => name.endsWith("down.weight"));
  if (down === undefined) return undefined;
  return {
    ...amountOf(weights, names),
    rank: weights.info(down).shape[0],
    convolutions: adaptedConvs(weights).size,
  };
}
