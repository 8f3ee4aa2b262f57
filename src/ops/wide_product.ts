import { defineKernel, type Gpu, gridFor, type Storage } from "../gpu/mod.ts";
import { empty, type Tensor } from "../tensor/mod.ts";
import type { Extents } from "./product.ts";

const kernel = defineKernel("wide_product");

/** What an invocation computes. */
const ROWS = 16;
const COLUMNS = 32;

/** Invocations in a workgroup: one SIMD vector. */
const GROUP = 8;

/**
 * The batched product a b as [batch, m, n], for adapters on a CPU: the tiles are large, since loads are
 * slow there. n and k are multiples of 4.
 */
export function wideProduct(gpu: Gpu, a: Storage, b: Storage, extents: Extents): Tensor {
  const { batch, m, n, k } = extents;
  const y = empty(gpu, [batch, m, n]);
  gpu.run(kernel, "multiply", {
    bind: { a, b, y: y.storage },
    params: { m, n, k, batch },
    constants: { GROUP },
    grid: gridFor(batch * Math.ceil(m / ROWS) * Math.ceil(n / COLUMNS), GROUP),
  });
  return y;
}
