import { type KeyLayout, LAYOUTS, PARTS, PLACES, TENSORS } from "./layouts.ts";

/** A part of a place, named in each layout. */
interface Rule {
  readonly isLinear: boolean;
  readonly templates: Readonly<Record<KeyLayout, string>>;
  readonly patterns: Readonly<Record<KeyLayout, RegExp>>;
}

/** What a tensor's name in LDM layout says of it, and whether it is a linear map in diffusers. */
export interface Translated {
  /** The name in the layout asked for. */
  readonly name: string;
  /** Whether diffusers stores its weight as [out, in], LDM as [out, in, 1, 1]. */
  readonly isLinear: boolean;
}

const RULES: readonly Rule[] = PLACES.flatMap((place) =>
  PARTS[place.kind].map((part) => {
    const templates = byLayout((layout) => {
      const module = layout === "ldm" ? place.ldm : place.diffusers;
      return part[layout] === "" ? module : `${module}.${part[layout]}`;
    });
    return {
      isLinear: part.isLinear ?? false,
      templates,
      patterns: byLayout((layout) => patternOf(templates[layout])),
    };
  })
);

function byLayout<T>(make: (layout: KeyLayout) => T): Record<KeyLayout, T> {
  return { ldm: make("ldm"), diffusers: make("diffusers"), "diffusers-old": make("diffusers-old") };
}

/** What matches a template's names, with the tensor behind; numbers have no leading zeros. */
function patternOf(template: string): RegExp {
  const number = (group: string) => `(?<${group}>0|[1-9]\\d{0,3})`;
  const module = template.replaceAll(".", "\\.")
    .replace("{i}", number("i")).replace("{~i}", number("r")).replace("{j}", number("j"));
  return new RegExp(`^${module}\\.(?<tensor>${TENSORS.join("|").replaceAll(".", "\\.")})$`);
}

/**
 * A tensor's name in another layout, or undefined where the layout it is from has no such tensor.
 *
 * @param levels How many levels the autoencoder has: diffusers counts the decoder's from the coarsest.
 */
export function translate(
  name: string,
  from: KeyLayout,
  to: KeyLayout,
  levels: number,
): Translated | undefined {
  for (const { isLinear, templates, patterns } of RULES) {
    const groups = patterns[from].exec(name)?.groups;
    if (groups === undefined) continue;
    const { tensor, j = "" } = groups;
    const i = groups.i ?? reversed(groups.r, levels);
    const r = groups.r ?? reversed(groups.i, levels);
    const module = templates[to].replace("{i}", i).replace("{~i}", r).replace("{j}", j);
    return { name: `${module}.${tensor}`, isLinear: isLinear && tensor === "weight" };
  }
  return undefined;
}

function reversed(number: string | undefined, levels: number): string {
  return number === undefined ? "" : String(levels - 1 - Number(number));
}

/** The layout that most names are of; that of LDM where none is. */
export function layoutOf(names: readonly string[]): KeyLayout {
  const counts = LAYOUTS.map((layout) =>
    names.filter((name) => translate(name, layout, "ldm", 0) !== undefined).length
  );
  return LAYOUTS[counts.indexOf(Math.max(...counts))];
}

/** The places whose numbers are those of levels, in each layout. */
const LEVELS: Readonly<Record<KeyLayout, RegExp>> = byLayout((layout) =>
  layout === "ldm"
    ? /^(?:encoder\.down|decoder\.up)\.(\d{1,4})\./
    : /^(?:encoder\.down_blocks|decoder\.up_blocks)\.(\d{1,4})\./
);

/** How many levels the tensors of these names are of. */
export function levelsOf(names: readonly string[], layout: KeyLayout): number {
  const levels = names.map((name) => Number(LEVELS[layout].exec(name)?.[1] ?? -1));
  return 1 + levels.reduce((most, level) => Math.max(most, level), -1);
}
