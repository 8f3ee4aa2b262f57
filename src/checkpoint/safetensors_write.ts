import { writeFileAtomic } from "./atomic.ts";
import {
  BYTES_PER_ELEMENT,
  dtypesFor,
  encodeFloats,
  type FloatDtype,
  isFloat,
  overflowOf,
  type StoredDtype,
  type TensorData,
} from "./dtype.ts";
import { CheckpointError } from "./errors.ts";

/** A tensor to be written. What {@link SafetensorsFile.tensor} returns is one. */
export interface TensorToStore {
  /** The tensor's name. */
  readonly name: string;
  /** Its shape, row-major; empty for a scalar. */
  readonly shape: readonly number[];
  /** Its values. */
  readonly data: TensorData;
  /** How to store it, where the kind of `data` leaves a choice: by default f32, i64, i32, u8. */
  readonly dtype?: StoredDtype;
}

/** A tensor to be written whose values are made when its turn comes, so that they need no memory before. */
export interface TensorToMake {
  /** The tensor's name. */
  readonly name: string;
  /** Its shape, row-major; empty for a scalar. */
  readonly shape: readonly number[];
  /** How to store it. */
  readonly dtype: StoredDtype;
  /** Makes its values, of a kind that can be stored so: float32 for floats. */
  readonly make: () => Promise<TensorData>;
}

/** Choices for writing a safetensors file. */
export interface SafetensorsOptions {
  /** Free-form texts to store in the header. */
  metadata?: Readonly<Record<string, string>>;
  /** Stores every float tensor so, whatever the tensor itself asks for. */
  dtype?: FloatDtype;
}

/** Choices for writing a safetensors file to disk. */
export interface WriteSafetensorsOptions extends SafetensorsOptions {
  /** Hears of each tensor that was written. */
  onTensor?: (done: number, total: number) => void;
}

/** A tensor with its dtype decided. */
interface Plan {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: StoredDtype;
  /** Bytes per element. */
  readonly width: number;
  /** How many elements there are. */
  readonly size: number;
  /** Its values, or what makes them. */
  readonly data: TensorData | TensorToMake["make"];
}

function planOf(
  tensor: TensorToStore | TensorToMake,
  options: SafetensorsOptions,
  file: string,
): Plan {
  const { name, shape } = tensor;
  const fail = (problem: string) => new CheckpointError(file, problem, { tensor: name });
  if (name === "__metadata__") throw fail("has the name of the header's metadata; rename it");
  const size = shape.reduce((a, b) => a * b, 1);
  if (shape.some((n) => !Number.isInteger(n) || n < 0)) {
    throw fail(`has the shape [${shape.join(", ")}], expected whole numbers from 0 up`);
  }
  const data = "make" in tensor ? tensor.make : tensor.data;
  const natural = "data" in tensor ? dtypesFor(tensor.data) : [tensor.dtype];
  const dtype = (isFloat(natural[0]) ? options.dtype : undefined) ?? tensor.dtype ?? natural[0];
  const plan = { name, shape, dtype, width: BYTES_PER_ELEMENT.get(dtype)!, size, data };
  if ("data" in tensor) checkData(plan, tensor.data, file);
  return plan;
}

/** Refuses values that are not as many as the shape needs, or of another kind than the dtype's. */
function checkData({ name, shape, dtype, size }: Plan, data: TensorData, file: string): void {
  const fail = (problem: string) => new CheckpointError(file, problem, { tensor: name });
  if (size !== data.length) {
    throw fail(`has ${data.length} values, its shape [${shape.join(", ")}] needs ${size}`);
  }
  const natural = dtypesFor(data);
  if (natural.includes(dtype)) return;
  throw fail(`cannot be stored as ${dtype}; its values can be ${natural.join(", ")}`);
}

/** Wide elements first, so that each tensor begins at a multiple of its width; then by name. */
function inOrder(a: Plan, b: Plan): number {
  if (a.width !== b.width) return b.width - a.width;
  return a.name < b.name ? -1 : 1;
}

function planAll(
  tensors: Iterable<TensorToStore | TensorToMake>,
  options: SafetensorsOptions,
  file: string,
): Plan[] {
  const plans = Array.from(tensors, (tensor) => planOf(tensor, options, file));
  const names = new Set<string>();
  for (const { name } of plans) {
    if (names.has(name)) {
      throw new CheckpointError(file, "is given twice; give each name once", { tensor: name });
    }
    names.add(name);
  }
  return plans.sort(inOrder);
}

/** The header with the length before it, filled with spaces to a multiple of 8 bytes. */
function header(plans: readonly Plan[], metadata: SafetensorsOptions["metadata"]): Uint8Array {
  const fields: string[] = [];
  const texts = Object.entries(metadata ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  if (texts.length > 0) {
    const pairs = texts.map(([key, text]) => `${JSON.stringify(key)}:${JSON.stringify(text)}`);
    fields.push(`"__metadata__":{${pairs.join(",")}}`);
  }
  let begin = 0;
  for (const { name, shape, dtype, width, size } of plans) {
    const end = begin + size * width;
    const entry = { dtype: dtype.toUpperCase(), shape, data_offsets: [begin, end] };
    fields.push(`${JSON.stringify(name)}:${JSON.stringify(entry)}`);
    begin = end;
  }
  const json = new TextEncoder().encode(`{${fields.join(",")}}`);
  const length = Math.ceil(json.length / 8) * 8;
  const bytes = new Uint8Array(8 + length).fill(0x20);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(length), true);
  bytes.set(json, 8);
  return bytes;
}

function bytesOf({ name, dtype }: Plan, data: TensorData, file: string): Uint8Array {
  if (!(data instanceof Float32Array) || !isFloat(dtype)) {
    return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  }
  const tooLarge = overflowOf(data, dtype);
  if (tooLarge !== undefined) {
    throw new CheckpointError(
      file,
      `holds ${tooLarge}, which ${dtype} cannot; store it as ${
        dtype === "f16" ? "bf16 or " : ""
      }f32`,
      { tensor: name },
    );
  }
  return encodeFloats(data, dtype);
}

/** The file, a piece at a time; what is made is made when its turn comes. */
async function* pieces(
  plans: readonly Plan[],
  { metadata, onTensor }: WriteSafetensorsOptions,
  file: string,
): AsyncGenerator<Uint8Array> {
  yield header(plans, metadata);
  for (const [i, plan] of plans.entries()) {
    const data = typeof plan.data === "function" ? await plan.data() : plan.data;
    checkData(plan, data, file);
    yield bytesOf(plan, data, file);
    onTensor?.(i + 1, plans.length);
  }
}

/**
 * Makes a safetensors file in memory. Equal contents give equal bytes, in whatever order the tensors
 * come; the data begins at a multiple of 8 bytes and each tensor at a multiple of its element's.
 *
 * Float32 values stored as f16 or bf16 are rounded to nearest, ties to even.
 *
 * @param tensors The tensors, each name once.
 * @throws {CheckpointError} If a tensor's shape is not that of its values, a name comes twice, or a
 * finite value is beyond what the dtype holds.
 *
 * @example
 * ```ts
 * import { encodeSafetensors, SafetensorsFile } from "@coda/tokenizer";
 *
 * const w = { name: "w", shape: [1, 2], data: new Float32Array([0.1, -3]) };
 * const bytes = encodeSafetensors([w], { dtype: "bf16", metadata: { format: "pt" } });
 * using file = SafetensorsFile.fromBytes(bytes);
 * console.assert(file.info("w").dtype === "bf16" && file.info("w").bytes === 4);
 * ```
 */
export function encodeSafetensors(
  tensors: Iterable<TensorToStore>,
  options: SafetensorsOptions = {},
): Uint8Array<ArrayBuffer> {
  const file = "(bytes)";
  const plans = planAll(tensors, options, file);
  const parts = [
    header(plans, options.metadata),
    ...plans.map((plan) => bytesOf(plan, plan.data as TensorData, file)),
  ];
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/**
 * Writes a safetensors file, whole or not at all, one tensor after another. Tensors whose values are
 * made when their turn comes need memory for one of them, so that a large file can be converted. See
 * {@link encodeSafetensors} for what is written and {@link writeFileAtomic} for how.
 *
 * @throws {CheckpointError} If the tensors cannot be stored so.
 * @throws {WriteError} If the file cannot be written.
 *
 * @example
 * ```ts
 * import { SafetensorsFile, writeSafetensors } from "@coda/tokenizer";
 *
 * const path = `${await Deno.makeTempDir()}/w.safetensors`;
 * await writeSafetensors(path, [{ name: "w", shape: [2], data: new Float32Array([1, 2]) }]);
 * using file = await SafetensorsFile.open(path);
 * console.assert(file.names.length === 1);
 * ```
 */
export async function writeSafetensors(
  path: string,
  tensors: Iterable<TensorToStore | TensorToMake>,
  options: WriteSafetensorsOptions = {},
): Promise<void> {
  await writeFileAtomic(path, pieces(planAll(tensors, options, path), options, path));
}
