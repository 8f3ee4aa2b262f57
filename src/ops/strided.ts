import { defineKernel, gridFor } from "../gpu/mod.ts";
import { empty, type Shape, type Tensor } from "../tensor/mod.ts";
import { mergeAxes, type Walk, walkParams } from "./broadcast.ts";

const kernel = defineKernel("copy");

/** Entries of which a thread moves four of the `size` elements. */
const BY_ELEMENTS = ["take", "take_spread", "place_spread"];

/** A new tensor of `shape` whose element at index i is x's at offset `base + i · strides`. */
export function readStrided(
  op: string,
  x: Tensor,
  shape: Shape,
  strides: readonly number[],
  base: number = 0,
): Tensor {
  const y = empty(x.gpu, shape, x.dtype);
  const walk = mergeAxes(shape, [strides]);
  if (keepsQuads(walk, base)) {
    run(op, "take_quads", { x_quads: x, y_quads: y }, inQuads(walk), y.size / 4, base / 4);
  } else {
    const entry = hasWholeQuads(walk) ? "take_spread" : "take";
    run(op, entry, { x_words: x, y_quads: y }, walk, y.size, base);
  }
  return y;
}

/** Writes x's element at index i to y's offset `base + i · strides`, in place. */
export function writeStrided(
  op: string,
  x: Tensor,
  y: Tensor,
  strides: readonly number[],
  base: number,
): void {
  const walk = mergeAxes(x.shape, [strides]);
  if (keepsQuads(walk, base)) {
    run(op, "place_quads", { x_quads: x, y_quads: y }, inQuads(walk), x.size / 4, base / 4);
  } else if (hasWholeQuads(walk)) {
    run(op, "place_spread", { x_quads: x, y_words: y }, walk, x.size, base);
  } else {
    run(op, "place", { x_words: x, y_words: y }, walk, x.size, base);
  }
}

/** Whether four consecutive elements, from a multiple of four on, are so on both sides. */
function keepsQuads({ shape, strides: [strides] }: Walk, base: number): boolean {
  const inner = shape.length - 1;
  return strides[inner] === 1 && shape[inner] % 4 === 0 && base % 4 === 0 &&
    strides.every((stride, axis) => axis === inner || stride % 4 === 0);
}

/** Whether quads of the walk lie in one row of it each. */
export function hasWholeQuads({ shape }: { readonly shape: Shape }): boolean {
  return shape[shape.length - 1] % 4 === 0;
}

function inQuads({ shape, strides: [strides] }: Walk): Walk {
  const inner = shape.length - 1;
  return {
    shape: shape.map((length, axis) => (axis === inner ? length / 4 : length)),
    strides: [strides.map((stride, axis) => (axis === inner ? stride : stride / 4))],
  };
}

function run(
  op: string,
  entry: string,
  tensors: Record<string, Tensor>,
  walk: Walk,
  size: number,
  base: number,
): void {
  const { gpu } = Object.values(tensors)[0];
  gpu.run(kernel, entry, {
    bind: Object.fromEntries(Object.entries(tensors).map(([name, t]) => [name, t.storage])),
    params: { size, base, ...walkParams(op, walk, "s") },
    constants: { RANK: walk.shape.length },
    grid: gridFor(BY_ELEMENTS.includes(entry) ? Math.ceil(size / 4) : size, 64),
  });
}
