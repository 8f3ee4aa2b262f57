import { defineKernel, type Gpu, gridFor, type Storage } from "../gpu/mod.ts";
import {
  empty,
  record,
  sameShape,
  ShapeError,
  shapeText,
  type Tensor,
  zeros,
} from "../tensor/mod.ts";
import { expectDType } from "./check.ts";
import { gather } from "./gather.ts";
import { pad } from "./pad.ts";
import { reshape } from "./reshape.ts";
import { slice } from "./slice.ts";

const kernel = defineKernel("scatter_add");

/** Tokens per block of the sort and per piece of a sum, as in the kernel. */
const BLOCK = 128;
const PIECE = 64;

/**
 * Adds rows of values into a table of zeros: u32 indices [...] and values [..., C] give [rows, C],
 * where row v is the sum of the values whose index is v, taken in their order, so that the result is the
 * same bits every time. An index of `rows` or more adds to the last row. The opposite of {@link gather}.
 *
 * @throws {ShapeError} where the shapes do not go together or a dtype is wrong.
 * @throws {RangeError} where `rows` is not a whole number from 1 up.
 *
 * @example
 * ```ts
 * import { fromArray, Gpu, scatterAdd } from "@coda/tokenizer/tensor";
 *
 * using gpu = await Gpu.create();
 * const indices = fromArray(gpu, new Uint32Array([1, 0, 1]), [3]);
 * const values = fromArray(gpu, [1, 2, 3, 4, 5, 6], [3, 2]);
 * console.log(await scatterAdd(indices, values, 3).read()); // 3, 4, 6, 8, 0, 0
 * ```
 */
export function scatterAdd(indices: Tensor, values: Tensor, rows: number): Tensor {
  expectDType("scatterAdd", "u32", { indices });
  expectDType("scatterAdd", "f32", { values });
  if (!sameShape(values.shape.slice(0, -1), indices.shape) || values.rank !== indices.rank + 1) {
    throw new ShapeError(
      "scatterAdd",
      `values ${shapeText(values.shape)} for indices ${shapeText(indices.shape)}: ` +
        "expected the same shape with one axis more",
    );
  }
  if (!Number.isInteger(rows) || rows < 1) {
    throw new RangeError(`scatterAdd: rows is ${rows}, expected a whole number from 1 up`);
  }
  return record("scatterAdd", {
    inputs: [values],
    output: sumByRow(indices, values, rows),
    saved: [indices],
    backward: (dy, [indices]) => [gather(dy, indices)],
  });
}

/**
 * {@link scatterAdd} without a record. With `into`, a table of that shape, it adds to it and returns it,
 * but where its rows are no whole quads: then the result is the sums alone.
 */
export function sumByRow(indices: Tensor, values: Tensor, rows: number, into?: Tensor): Tensor {
  const { gpu } = values;
  const channels = values.shape[values.rank - 1];
  if (values.size === 0) return into ?? zeros(gpu, [rows, channels]);
  using scope = gpu.scope();
  const odd = channels % 4;
  if (odd === 0) {
    const table = into ?? scope.keep(empty(gpu, [rows, channels]));
    sumLists(sortByRow(indices, rows), values, table, into !== undefined);
    return table;
  }
  const wide = channels + 4 - odd;
  const flat = reshape(values, [indices.size, channels]);
  const padded = pad(flat, [[0, 0], [0, 4 - odd]]);
  const table = empty(gpu, [rows, wide]);
  sumLists(sortByRow(indices, rows), padded, table, false);
  return scope.keep(slice(table, [0, 0], [rows, channels]));
}

/** Dispatches an entry for `items` threads; parameters it does not use are 0. */
function run(
  gpu: Gpu,
  entry: string,
  items: number,
  bind: Record<string, Storage>,
  params: Record<string, number>,
  constants?: Record<string, number>,
): void {
  const unused = {
    tokens: 0,
    rows: 0,
    shift: 0,
    mask: 0,
    blocks: 0,
    counters: 0,
    channels: 0,
    span: 0,
  };
  gpu.run(kernel, entry, {
    bind,
    params: { ...unused, ...params },
    constants,
    grid: gridFor(items, 64),
  });
}

/** The tokens sorted by row: their rows, and which tokens they are. */
interface Sorted {
  keys: Tensor;
  order: Tensor;
}

/** A stable radix sort, eight bits of the row at a time at most. */
function sortByRow(indices: Tensor, rows: number): Sorted {
  const bits = Math.max(1, Math.ceil(Math.log2(rows)));
  const passes = Math.ceil(bits / 8);
  const digitBits = Math.ceil(bits / passes);
  let sorted: Sorted = { keys: indices, order: indices };
  for (let pass = 0; pass < passes; pass++) {
    sorted = sortByDigit(sorted, rows, pass * digitBits, 2 ** digitBits, pass === 0);
  }
  return sorted;
}

function sortByDigit(
  { keys, order }: Sorted,
  rows: number,
  shift: number,
  bins: number,
  isFirst: boolean,
): Sorted {
  const { gpu, size: tokens } = keys;
  const blocks = Math.ceil(tokens / BLOCK);
  const counters = bins * blocks;
  const params = { tokens, rows, shift, mask: bins - 1, blocks, counters };
  const offsets = zeros(gpu, [counters], "u32");
  const sorted = { keys: empty(gpu, [tokens], "u32"), order: empty(gpu, [tokens], "u32") };
  run(gpu, "count", tokens, { keys: keys.storage, tallies: offsets.storage }, params);
  run(gpu, "scan", 1, { offsets: offsets.storage }, params);
  const bind = {
    key_quads: keys.storage,
    order: order.storage,
    placed_offsets: offsets.storage,
    sorted_keys: sorted.keys.storage,
    sorted_order: sorted.order.storage,
  };
  run(gpu, "place", tokens, bind, params, { FIRST: Number(isFirst) });
  return sorted;
}

/** Writes the sum of each row's list to the table, or adds it. */
function sumLists({ keys, order }: Sorted, values: Tensor, table: Tensor, isAdded: boolean): void {
  const { gpu, size: tokens } = keys;
  const [rows, channels] = table.shape;
  const quads = channels / 4;
  const lists = { keys: keys.storage, starts: zeros(gpu, [rows], "u32").storage };
  const partials = empty(gpu, [tokens, channels]).storage;
  const params = { tokens, rows, channels: quads };
  run(gpu, "mark_starts", tokens, { keys: lists.keys, new_starts: lists.starts }, params);
  const bind = { ...lists, order: order.storage, values: values.storage, partials };
  run(gpu, "sum_values", tokens * quads, bind, params);
  for (let span = PIECE; span < tokens; span *= PIECE) {
    run(gpu, "sum_partials", tokens * quads, { ...lists, partials }, { ...params, span });
  }
  const result = { starts: lists.starts, sums: partials, table: table.storage };
  run(gpu, "write_table", rows * quads, result, params, { ADD: Number(isAdded) });
}
