import { SafetensorsFile } from "../../src/checkpoint/mod.ts";
import { nd, type NDArray } from "./reference/ndarray.ts";

const folder = new URL("../fixtures/", import.meta.url);

/** What a JSON file beside the tensors says of one case. */
interface Description {
  options: Record<string, unknown>;
  inputs?: string[];
  gradients?: string[];
  tensors?: string[];
}

/** One case of an operation with PyTorch's numbers. */
export interface OpCase {
  /** Operation and index, for messages: "groupNorm 0". */
  name: string;
  /** In the order of the operation's arguments. */
  inputs: NDArray[];
  options: Record<string, unknown>;
  output: NDArray;
  /** w: the gradients are those of Σ output·w. */
  cotangent: NDArray;
  /** One per input; null where the input is not differentiable. */
  gradients: (NDArray | null)[];
}

/** One case of a block with named inputs. */
export interface BlockCase {
  /** Block and index, for messages: "resblock 0". */
  name: string;
  /** "x" and the parameters, by name. */
  inputs: Record<string, NDArray>;
  options: Record<string, unknown>;
  output: NDArray;
  /** w: the gradients are those of Σ output·w. */
  cotangent: NDArray;
  /** By the inputs' names. */
  gradients: Record<string, NDArray>;
}

/** One case of plain values, such as the steps of an optimizer. */
export interface ValueCase {
  name: string;
  options: Record<string, unknown>;
  tensors: Record<string, NDArray>;
}

const descriptions: Record<string, Description[]> = JSON.parse(
  Deno.readTextFileSync(new URL("ops.json", folder)),
).cases;
const file = SafetensorsFile.fromBytes(
  Deno.readFileSync(new URL("ops.safetensors", folder)),
  "tests/fixtures/ops.safetensors",
);

/** The names of all operations, blocks and runs there are cases of. */
export function caseNames(): string[] {
  return Object.keys(descriptions);
}

/** How many cases there are of this name. */
export function caseCount(name: string): number {
  const cases = descriptions[name];
  if (!cases) throw new RangeError(`no fixture cases of "${name}"; there are: ${caseNames()}`);
  return cases.length;
}

/** One case of an operation. */
export async function opCase(name: string, index: number): Promise<OpCase> {
  const { prefix, inputs = [], gradients = [], options } = describe(name, index);
  return {
    name: `${name} ${index}`,
    options,
    inputs: await Promise.all(inputs.map((key) => tensor(`${prefix}/inputs/${key}`))),
    output: await tensor(`${prefix}/output`),
    cotangent: await tensor(`${prefix}/cotangent`),
    gradients: await Promise.all(
      inputs.map((key) => gradients.includes(key) ? tensor(`${prefix}/gradients/${key}`) : null),
    ),
  };
}

/** All cases of an operation. */
export function opCases(name: string): Promise<OpCase[]> {
  return Promise.all(Array.from({ length: caseCount(name) }, (_, index) => opCase(name, index)));
}

/** One case of a block: "resblock" or "attentionBlock". */
export async function blockCase(name: string, index: number): Promise<BlockCase> {
  const { prefix, inputs = [], gradients = [], options } = describe(name, index);
  return {
    name: `${name} ${index}`,
    options,
    inputs: await named(inputs, `${prefix}/inputs`),
    output: await tensor(`${prefix}/output`),
    cotangent: await tensor(`${prefix}/cotangent`),
    gradients: await named(gradients, `${prefix}/gradients`),
  };
}

/** One case of plain values: "adamw". */
export async function valueCase(name: string, index: number): Promise<ValueCase> {
  const { prefix, tensors = [], options } = describe(name, index);
  return { name: `${name} ${index}`, options, tensors: await named(tensors, prefix) };
}

function describe(name: string, index: number): Description & { prefix: string } {
  const count = caseCount(name);
  if (!(index < count)) throw new RangeError(`no case ${index} of "${name}"; there are ${count}`);
  return { ...descriptions[name][index], prefix: `${name}/${index}` };
}

async function named(keys: string[], prefix: string): Promise<Record<string, NDArray>> {
  const entries = keys.map(async (key) => [key, await tensor(`${prefix}/${key}`)] as const);
  return Object.fromEntries(await Promise.all(entries));
}

async function tensor(name: string): Promise<NDArray> {
  return nd(file.info(name).shape, await file.floats(name));
}
