import { defineKernel, type Gpu, gridFor, type Storage } from "../gpu/mod.ts";
import { empty, type Tensor } from "../tensor/mod.ts";
import { type Extents, product } from "./product.ts";
import { sumRows } from "./sum_rows.ts";
import { kindOf } from "./tile.ts";
import { addWideProduct, type Piece, wideProduct, wideSums } from "./wide_product.ts";

const accumulate = defineKernel("accumulate");

/** The products a b of Winograd's frequencies, [batch, m, n]; n and k are multiples of 4. */
export function multiply(gpu: Gpu, a: Storage, b: Storage, extents: Extents): Tensor {
  return kindOf(gpu) === "cpu"
    ? wideProduct(gpu, a, b, extents)
    : products(gpu, a, b, extents, false);
}

/** A place to sum the products aᵀ b in, whose k comes piece by piece, none longer than `k`. */
export function sumsOf(gpu: Gpu, extents: Extents): Tensor {
  const { batch, m, n } = extents;
  return kindOf(gpu) === "cpu" ? wideSums(gpu, extents) : empty(gpu, [1, batch, m, n]);
}

/** Adds the products of a piece to the sums. */
export function addProducts(gpu: Gpu, piece: Piece, sums: Tensor): void {
  if (kindOf(gpu) === "cpu") return addWideProduct(gpu, piece, sums);
  using _scope = gpu.scope();
  const { a, b, k, isFirst } = piece;
  const [, batch, m, n] = sums.shape;
  const x = products(gpu, a, b, { batch, m, n, k }, true);
  if (isFirst) return gpu.copy(x.storage, sums.storage);
  gpu.run(accumulate, "add", {
    bind: { x: x.storage, y: sums.storage },
    params: { size: x.size },
    grid: gridFor(Math.ceil(x.size / 4), 64),
  });
}

/** What was summed: batch matrices of m by n. */
export function totalOf(sums: Tensor): Storage {
  const { gpu, storage, size, shape: [parts, ...shape] } = sums;
  return parts === 1 ? storage : sumRows(gpu, storage, parts, size / parts, shape).storage;
}

function products(
  gpu: Gpu,
  a: Storage,
  b: Storage,
  extents: Extents,
  transposed: boolean,
): Tensor {
  const { batch, m, n } = extents;
  const left = { storage: a, transposed, shared: false };
  const right = { storage: b, transposed: false, shared: false };
  return product(gpu, left, right, { ...extents, output: [batch, m, n] });
}
