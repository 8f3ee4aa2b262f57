import { BYTES_PER_ELEMENT } from "../dtype.ts";
import { MAX_RANK } from "../limits.ts";
import { countOf, itemsOf, kindOf, PickleFault, PickleObject, type PickleValue } from "./values.ts";

/** A stretch of numbers in a file, which several tensors may look at. */
export class Storage extends PickleObject {
  /** What it is, for messages. */
  readonly what = "a storage";

  /**
   * @param key Its name in the file.
   * @param dtype How its numbers are stored; undefined for bytes that each tensor reads in its own way.
   * @param elements How many there are.
   * @param start The first of them within what the file keeps under `key`.
   * @param kept How many elements the file keeps under `key`.
   */
  constructor(
    readonly key: string,
    readonly dtype: string | undefined,
    readonly elements: number,
    readonly start = 0,
    readonly kept: number = elements,
  ) {
    super();
  }

  /** How many bytes an element takes; one where the dtype is not known. */
  get width(): number {
    return this.dtype === undefined ? 1 : BYTES_PER_ELEMENT.get(this.dtype)!;
  }
}

/** A tensor as a file describes it: a look at some elements of a storage. */
export class TensorView extends PickleObject {
  /** What it is, for messages. */
  readonly what = "a tensor";

  /** Made by {@link tensorView}, which checks it. */
  constructor(
    readonly storage: Storage,
    readonly dtype: string,
    readonly offset: number,
    readonly shape: readonly number[],
    readonly strides: readonly number[],
  ) {
    super();
  }

  /** How many elements it has. */
  get elements(): number {
    return this.shape.includes(0) ? 0 : this.shape.reduce((product, n) => product * n, 1);
  }

  /** How many elements of the storage it reaches over, from its first to its last. */
  get reach(): number {
    return reachOf(this.shape, this.strides);
  }

  /** Whether its elements follow each other in row-major order. */
  get isContiguous(): boolean {
    let step = 1;
    for (let axis = this.shape.length - 1; axis >= 0; axis--) {
      if (this.shape[axis] !== 1 && this.strides[axis] !== step) return false;
      step *= this.shape[axis];
    }
    return true;
  }
}

/**
 * The tensor of a file's description, checked against its storage.
 *
 * @param dtype How its numbers are stored, where the storage does not say.
 * @throws {PickleFault} where it is none, or reaches out of its storage.
 */
export function tensorView(
  storage: PickleValue | undefined,
  offset: PickleValue | undefined,
  shape: PickleValue | undefined,
  strides: PickleValue | undefined,
  dtype?: string,
): TensorView {
  if (!(storage instanceof Storage)) {
    throw new PickleFault(`makes a tensor of ${kindOf(storage ?? null)}, expected a storage`);
  }
  const kind = storage.dtype ?? dtype;
  if (kind === undefined) throw new PickleFault("makes a tensor without saying of what dtype");
  const sizes = itemsOf(shape, "a tensor's shape");
  const steps = itemsOf(strides, "a tensor's strides");
  if (sizes.length !== steps.length || sizes.length > MAX_RANK) {
    throw new PickleFault(
      `makes a tensor of ${sizes.length} sizes and ${steps.length} strides, expected as many of ` +
        `both, ${MAX_RANK} at most`,
    );
  }
  const view = new TensorView(
    storage,
    kind,
    countOf(offset, "a tensor's offset"),
    sizes.map((n) => countOf(n, "a tensor's size")),
    steps.map((n) => countOf(n, "a tensor's stride")),
  );
  check(view);
  return view;
}

function check(view: TensorView): void {
  const { storage, shape, strides, offset, elements, reach } = view;
  const width = BYTES_PER_ELEMENT.get(view.dtype)!;
  const held = Math.floor(storage.elements * storage.width / width);
  if (elements === 0) return;
  if (!(offset + reach <= held)) {
    const described = `shape [${shape}], strides [${strides}] and offset ${offset}`;
    throw new PickleFault(
      `makes a tensor of ${described}, which reaches out of its storage of ${held} elements; ` +
        "the file is damaged, fetch it again",
    );
  }
}

function reachOf(shape: readonly number[], strides: readonly number[]): number {
  if (shape.includes(0)) return 0;
  return 1 + shape.reduce((last, n, axis) => last + (n - 1) * strides[axis], 0);
}

/** The arrays that copy elements of so many bytes. */
const CELLS = { 1: Uint8Array, 2: Uint16Array, 4: Uint32Array, 8: BigUint64Array } as const;

/**
 * The elements of a view in row-major order.
 *
 * @param bytes What it reaches over, at the beginning of its buffer.
 * @param into Memory for its elements.
 */
export function gather(
  view: TensorView,
  bytes: Uint8Array<ArrayBuffer>,
  into: Uint8Array<ArrayBuffer>,
): void {
  const width = BYTES_PER_ELEMENT.get(view.dtype)! as keyof typeof CELLS;
  const Cells = CELLS[width];
  const from = new Cells(bytes.buffer, bytes.byteOffset, bytes.byteLength / width);
  const to = new Cells(into.buffer, into.byteOffset, into.byteLength / width);
  const index = new Array<number>(view.shape.length).fill(0);
  let at = 0;
  for (let i = 0; i < to.length; i++) {
    to[i] = from[at];
    for (let axis = index.length - 1; axis >= 0; axis--) {
      at += view.strides[axis];
      if (++index[axis] < view.shape[axis]) break;
      at -= index[axis] * view.strides[axis];
      index[axis] = 0;
    }
  }
}
