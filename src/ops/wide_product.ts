import { defineKernel, type Gpu, gridFor, type Storage } from "../gpu/mod.ts";
import { empty, type Tensor } from "../tensor/mod.ts";
import { align } from "./fit.ts";
import type { Extents } from "./matmul.ts";
import { sumRows } from "./sum_rows.ts";

const kernel = defineKernel("wide_product");

/** What an invocation computes. */
const ROWS = 16;
const COLUMNS = 32;

/** Invocations in a workgroup: one SIMD vector. */
const GROUP = 8;

/** Invocations that keep a CPU's cores busy, and the least steps of k that one should have. */
const BUSY = 256;
const SHORTEST = 64;

/**
 * The batched product op(a) b as [batch, m, n], for adapters on a CPU: the tiles are large, since loads
 * are slow there. n and k are multiples of 4, and with `transposeA`, where a is [batch, k, m], so is m.
 * A long k is then summed in parts, in an order that depends on the extents alone.
 */
export function wideProduct(
  gpu: Gpu,
  a: Storage,
  b: Storage,
  { batch, m, n, k }: Extents,
  transposeA: boolean,
): Tensor {
  using scope = gpu.scope();
  const tiles = batch * Math.ceil(m / ROWS) * Math.ceil(n / COLUMNS);
  const wanted = transposeA ? Math.min(Math.ceil(BUSY / tiles), Math.floor(k / SHORTEST)) : 1;
  const chunk = align(Math.ceil(k / Math.max(wanted, 1)));
  const splits = Math.ceil(k / chunk);
  const shape = [batch, m, n];
  const y = empty(gpu, splits === 1 ? shape : [splits, ...shape]);
  gpu.run(kernel, "multiply", {
    bind: { a, b, y: y.storage },
    params: { m, n, k, batch, splits, chunk },
    constants: { TRANSPOSE_A: Number(transposeA), GROUP },
    grid: gridFor(splits * tiles, GROUP),
  });
  return scope.keep(splits === 1 ? y : sumRows(gpu, y.storage, splits, y.size / splits, shape));
}
