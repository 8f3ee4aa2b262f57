import { familiesOf, type VaeFamily, type VaeShape } from "../vae/mod.ts";
import type { TensorFile } from "./source.ts";

/** Which published family an autoencoder is taken to be of, and why. */
export interface FamilyGuess {
  /** The families of its shape, the likeliest first; none where it is of no published one. */
  readonly families: readonly VaeFamily[];
  /** How wide it is beside them; 1 is the published width. */
  readonly width: number;
  /**
   * What tells the first from the others: nothing is needed, the scale that was told, something in the
   * file, its name, a preset, or nothing does.
   */
  readonly by: "shape" | "scale" | "file" | "name" | "preset" | "nothing";
}

/** What tells families of one shape apart: words in a file's metadata or tensors' names, and in its name. */
interface Sign {
  readonly family: string;
  readonly inFile: RegExp;
  readonly inName: RegExp;
}

/** The signs, the most particular first. Names are those of whole models that hold an autoencoder. */
const SIGNS: readonly Sign[] = [
  {
    family: "Stable Diffusion XL",
    inFile: /^(?:conditioner\.embedders\.|text_encoder_2\.)|stable-diffusion-xl/,
    inName: /sd[-_. ]?xl|stable[-_ ]diffusion[-_ ]xl/i,
  },
  {
    family: "Stable Diffusion 3",
    inFile: /\bjoint_blocks\.|stable-diffusion-(?:v?3)/,
    inName: /sd[-_. ]?v?3(?!\d\d)|stable[-_ ]diffusion[-_ ]v?3/i,
  },
  {
    family: "FLUX.1",
    inFile: /\bdouble_blocks\.|^flux/i,
    inName: /flux/i,
  },
  {
    family: "Stable Diffusion 1.x",
    inFile: /^cond_stage_model\.|stable-diffusion-v1/,
    inName: /sd[-_. ]?v?1(?:[-_.]?[45])?(?!\d)|stable[-_ ]diffusion[-_ ]v?1/i,
  },
];

/**
 * The published families whose shape an autoencoder has. Several share one and differ in nothing but
 * the scale of the latent; which it is, the rest of the file may tell (a whole model's other parts, its
 * metadata), or the file's name.
 */
export function guessFamily(shape: VaeShape, file: TensorFile): FamilyGuess {
  const { families, width } = familiesOf(shape);
  if (families.length < 2) return { families, width, by: "shape" };
  const signs = SIGNS.filter(({ family }) => families.some(({ name }) => name === family));
  const texts = [...Object.values(file.metadata), ...file.names];
  const inFile = signs.find(({ inFile }) => texts.some((text) => inFile.test(text)));
  if (inFile) return { families: putFirst(families, inFile.family), width, by: "file" };
  const name = file.file.split(/[\\/]/).pop() ?? "";
  const inName = signs.find(({ inName }) => inName.test(name));
  if (inName) return { families: putFirst(families, inName.family), width, by: "name" };
  return { families, width, by: "nothing" };
}

/** The guess where it was told by what the latent is scaled, in which alone the families differ. */
export function guessByScale(guess: FamilyGuess, scale: number | undefined): FamilyGuess {
  const { families } = guess;
  const family = families.find(({ config }) => config.scale === scale);
  if (family === undefined || families.length < 2) return guess;
  return { ...guess, families: putFirst(families, family.name), by: "scale" };
}

function putFirst(families: readonly VaeFamily[], name: string): VaeFamily[] {
  return families.toSorted((a, b) => Number(b.name === name) - Number(a.name === name));
}
