import { CheckpointError, quote } from "../errors.ts";
import { MAX_DEPTH, MAX_NAME, MAX_TENSORS, MAX_VALUES } from "../limits.ts";
import { tooManyTensors } from "../source.ts";
import { TensorView } from "./tensor_view.ts";
import {
  kindOf,
  PickleDict,
  type PickleKey,
  PickleList,
  PickleObject,
  PickleTuple,
  type PickleValue,
} from "./values.ts";

/** What a file holds: its tensors by name, and texts beside them. */
export interface NamedViews {
  /** The tensors. A name is the keys on the way to it, joined with dots. */
  readonly tensors: ReadonlyMap<string, TensorView>;
  /** The texts, numbers and truth values of the outermost dictionary, as texts. */
  readonly metadata: Readonly<Record<string, string>>;
}

/**
 * Finds the tensors in the dictionaries, lists and tuples of a file.
 *
 * @throws {CheckpointError} where the file is no dictionary, two tensors have one name, or values are
 * nested without an end, or too many or too deep.
 */
export function nameViews(root: PickleValue, file: string): NamedViews {
  if (!(root instanceof PickleDict)) {
    throw new CheckpointError(
      file,
      `holds ${kindOf(root)}, expected a dictionary of tensors; save a state_dict with torch.save`,
    );
  }
  const finder = new Finder(file);
  finder.visit(root, "", 0);
  return { tensors: finder.tensors, metadata: texts(root) };
}

class Finder {
  readonly tensors = new Map<string, TensorView>();
  #visited = 0;

  constructor(readonly file: string) {}

  visit(value: PickleValue, name: string, depth: number): void {
    if (++this.#visited > MAX_VALUES) {
      throw new CheckpointError(
        this.file,
        `nests its values so that over ${MAX_VALUES} are to be looked at, more than weights need; ` +
          "save the state_dict alone with torch.save",
      );
    }
    if (value instanceof TensorView) return this.#add(name, value);
    const isNested = value instanceof PickleDict || value instanceof PickleList ||
      value instanceof PickleTuple;
    if (!isNested) return;
    if (depth > MAX_DEPTH) {
      throw new CheckpointError(
        this.file,
        `nests its values over ${MAX_DEPTH} deep, or without an end, below ${quote(name)}; ` +
          "save the state_dict alone with torch.save",
      );
    }
    const behind = depth === 0 ? "" : `${name}.`;
    const entries = value instanceof PickleDict ? value.entries : value.items.entries();
    for (const [key, item] of entries) {
      this.visit(item, behind + keyText(key), depth + 1);
    }
  }

  #add(name: string, view: TensorView): void {
    const problem = name.length > MAX_NAME
      ? `has a name of ${name.length} characters, expected at most ${MAX_NAME}`
      : this.tensors.has(name)
      ? "is there twice; give each a name of its own"
      : undefined;
    if (problem !== undefined) throw new CheckpointError(this.file, problem, { tensor: name });
    this.tensors.set(name, view);
    if (this.tensors.size > MAX_TENSORS) throw tooManyTensors(this.tensors.size, this.file);
  }
}

function keyText(key: PickleKey): string {
  return key instanceof PickleObject ? key.what : String(key);
}

function texts(root: PickleDict): Record<string, string> {
  const found: [string, string][] = [];
  for (const [key, value] of root.entries) {
    if (["string", "number", "bigint", "boolean"].includes(typeof value)) {
      found.push([keyText(key), String(value)]);
    }
  }
  return Object.fromEntries(found);
}
