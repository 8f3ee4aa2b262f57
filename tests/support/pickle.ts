/** Writes pickles by hand, operation by operation, also ones that no Python would write. */

type Bytes = readonly number[];

function little(value: number | bigint, length: number): number[] {
  const bits = BigInt.asUintN(8 * length, BigInt(value));
  return Array.from({ length }, (_, i) => Number((bits >> BigInt(8 * i)) & 255n));
}

function utf8(text: string): number[] {
  return [...new TextEncoder().encode(text)];
}

/** Operations as bytes, by what they do; the names are those of Python's pickletools where it has one. */
export const op = {
  proto: (version = 2): Bytes => [0x80, version],
  mark: [0x28] as Bytes,
  none: [0x4e] as Bytes,
  reduce: [0x52] as Bytes,
  build: [0x62] as Bytes,
  persistent: [0x51] as Bytes,
  stackGlobal: [0x93] as Bytes,
  memoize: [0x94] as Bytes,
  emptyTuple: [0x29] as Bytes,
  emptyList: [0x5d] as Bytes,
  emptyDict: [0x7d] as Bytes,
  setItem: [0x73] as Bytes,
  put: (index: number): Bytes => [0x72, ...little(index, 4)],
  get: (index: number): Bytes => [0x6a, ...little(index, 4)],
  /** A whole number of any size. */
  int(value: number | bigint): Bytes {
    const length = Math.ceil((BigInt(value).toString(2).length + 1) / 8);
    return [0x8a, length, ...little(value, length)];
  },
  text: (value: string): Bytes => [0x58, ...little(utf8(value).length, 4), ...utf8(value)],
  global: (module: string, name: string): Bytes => [0x63, ...utf8(`${module}\n${name}\n`)],
  tuple: (...items: Bytes[]): Bytes => [0x28, ...items.flat(), 0x74],
  list: (...items: Bytes[]): Bytes => [0x5d, 0x28, ...items.flat(), 0x65],
  dict: (...keysAndValues: Bytes[]): Bytes => [0x7d, 0x28, ...keysAndValues.flat(), 0x75],
  /** The call of a function with arguments. */
  call: (module: string, name: string, ...args: Bytes[]): Bytes => [
    ...op.global(module, name),
    ...op.tuple(...args),
    ...op.reduce,
  ],
  little,
} as const;

/** A pickle of one value. */
export function pickle(...operations: Bytes[]): Uint8Array<ArrayBuffer> {
  return Uint8Array.from([...op.proto(), ...operations.flat(), 0x2e]);
}

/** How a tensor of a hand-made file is described. */
export interface TensorPlan {
  /** The storage's key. */
  key?: string;
  /** The storage's class. */
  storage?: string;
  /** The storage's number of elements. */
  elements?: number | bigint;
  offset?: number | bigint;
  shape: readonly (number | bigint)[];
  strides: readonly (number | bigint)[];
  /** The last part of an id of the older form. */
  part?: Bytes;
}

/** The operations that make a storage. */
export function storageOf({ key = "0", storage = "FloatStorage", elements = 4, part }: {
  key?: string;
  storage?: string;
  elements?: number | bigint;
  part?: Bytes;
}): Bytes {
  const id = [
    op.text("storage"),
    op.global("torch", storage),
    op.text(key),
    op.text("cpu"),
    op.int(elements),
  ];
  return [...op.tuple(...id, ...(part === undefined ? [] : [part])), ...op.persistent];
}

/** The operations that make a tensor. */
export function tensorOf(plan: TensorPlan): Bytes {
  return op.call(
    "torch._utils",
    "_rebuild_tensor_v2",
    storageOf(plan),
    op.int(plan.offset ?? 0),
    op.tuple(...plan.shape.map(op.int)),
    op.tuple(...plan.strides.map(op.int)),
    [0x89],
    op.call("collections", "OrderedDict"),
  );
}

/** The pickle of a dictionary of tensors. */
export function stateDict(tensors: Readonly<Record<string, TensorPlan>>): Uint8Array<ArrayBuffer> {
  const items = Object.entries(tensors).flatMap(([name, plan]) => [op.text(name), tensorOf(plan)]);
  return pickle(op.dict(...items));
}
