import { VAE_FAMILIES, vaeShapes } from "../../vae/mod.ts";
import { translate } from "../key_names.ts";
import { sameShape } from "../source.ts";

/** Tensors' shapes by name. */
export type ShapesByName = ReadonlyMap<string, readonly number[]>;

/** A tensor of another shape than expected. */
export interface Misshapen {
  /** Its name in the file. */
  readonly name: string;
  /** Its shape there. */
  readonly found: readonly number[];
  /** The shape it would have. */
  readonly expected: readonly number[];
}

/** How a file's tensors differ from a model's. */
export interface Difference {
  /** The model. */
  readonly model: string;
  /** How many tensors the model has. */
  readonly tensors: number;
  /** How many of them the file has, in their shape. */
  readonly same: number;
  /** Those that it has in another shape. */
  readonly misshapen: readonly Misshapen[];
  /** Those that it has not. */
  readonly missing: readonly string[];
  /** What it has beside. */
  readonly extra: readonly string[];
}

/** Compares a file's tensors with a model's. */
export function differenceOf(
  model: string,
  found: ShapesByName,
  expected: ShapesByName,
  nameInFile: (name: string) => string = (name) => name,
): Difference {
  const misshapen: Misshapen[] = [];
  const missing: string[] = [];
  for (const [name, shape] of expected) {
    const own = found.get(name);
    if (own === undefined) missing.push(nameInFile(name));
    else if (!sameShape(own, shape)) {
      misshapen.push({ name: nameInFile(name), found: own, expected: shape });
    }
  }
  const extra = [...found.keys()].filter((name) => !expected.has(name)).map(nameInFile);
  const same = expected.size - missing.length - misshapen.length;
  return { model, tensors: expected.size, same, misshapen, missing, extra };
}

/**
 * The published autoencoder that tensors are nearest to.
 *
 * @param found Names and shapes in LDM's layout.
 */
export function nearestFamily(
  found: ShapesByName,
  nameInFile: (name: string) => string,
): Difference {
  const all = VAE_FAMILIES.map(({ name, config }) =>
    differenceOf(name, found, vaeShapes(config), nameInFile)
  );
  return all.toSorted((a, b) => distance(a) - distance(b))[0];
}

/** A tensor that is missing or beside weighs twice as much as one of another shape. */
function distance({ misshapen, missing, extra }: Difference): number {
  return misshapen.length + 2 * (missing.length + extra.length);
}

/** A quantizer's tensors; the sizes are those of the published one for MAR. */
const QUANTIZER: ShapesByName = new Map<string, readonly number[]>([
  ["codebooks.weight", [16_384, 16]],
  ["attn.to_q.weight", [32, 16]],
  ["attn.to_q.bias", [32]],
  ["attn.to_k.weight", [32, 16]],
  ["attn.to_k.bias", [32]],
  ["attn.to_v.weight", [16, 16]],
  ["attn.to_v.bias", [16]],
  ["attn.norm_q.weight", [32]],
  ["attn.norm_k.weight", [32]],
]);

/** The models that an unknown file is compared with: each autoencoder in either layout, the quantizer. */
function* models(): Generator<[string, ShapesByName]> {
  for (const { name, config } of VAE_FAMILIES) {
    const shapes = vaeShapes(config);
    yield [`${name} in LDM's layout`, shapes];
    const levels = config.channels.length;
    const renamed = [...shapes].map(([name, shape]): [string, readonly number[]] => {
      const { name: there, isLinear } = translate(name, "ldm", "diffusers", levels)!;
      return [there, isLinear ? shape.slice(0, 2) : shape];
    });
    yield [`${name} in diffusers' layout`, new Map(renamed)];
  }
  yield ["CODA's quantizer", QUANTIZER];
}

/** The model that a file of something else is nearest to, by its tensors' names, then their shapes. */
export function nearestModel(tensors: ShapesByName): Difference {
  let best: { difference: Difference; score: number } | undefined;
  for (const [model, expected] of models()) {
    const found = new Map(
      [...tensors].map(([name, shape]) => [ownSuffix(name, expected), shape] as const),
    );
    const difference = differenceOf(model, found, expected);
    const named = difference.same + difference.misshapen.length;
    const score = difference.same + named + likeness(tensors, expected);
    if (best === undefined || score > best.score) best = { difference, score };
  }
  return best!.difference;
}

/** The most words of a model's name: `decoder.up_blocks.3.resnets.2.conv_shortcut.weight`, and one more. */
const MAX_WORDS = 8;

/** What of a name is a model's, whatever stands before it; the whole name where nothing is. */
function ownSuffix(name: string, expected: ShapesByName): string {
  const words = lastWords(name, MAX_WORDS);
  for (const i of words.keys()) {
    const suffix = words.slice(i).join(".");
    if (expected.has(suffix)) return suffix;
  }
  return name;
}

/** How alike the ends of two models' names are, numbers aside: from 0 to 1. */
function likeness(a: ShapesByName, b: ShapesByName): number {
  const ends = (names: Iterable<string>) =>
    new Set(
      Array.from(names, (name) => lastWords(name, 2).join(".").replaceAll(/\d+/g, "#")),
    );
  const [one, other] = [ends(a.keys()), ends(b.keys())];
  return one.intersection(other).size / Math.max(1, one.union(other).size);
}

function lastWords(name: string, count: number): string[] {
  let at = name.length;
  for (; count > 0 && at >= 0; count--) at = name.lastIndexOf(".", at - 1);
  return name.slice(at + 1).split(".");
}
