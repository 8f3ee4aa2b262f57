import { defineKernel, type Gpu, gridFor } from "../../gpu/mod.ts";
import { kindOf } from "../../ops/tile.ts";
import { empty, type Tensor } from "../../tensor/mod.ts";
import type { Projection } from "../projection.ts";

const kernel = defineKernel("project");

/** Invocations in a workgroup: one SIMD vector. */
const GROUP = 8;

/** Invocations that keep a CPU's cores busy; each of them loads the weights. */
const INVOCATIONS = 64;

/**
 * Whether {@link project} is the faster way, with the same bits: on a CPU adapter. A GPU loads weights
 * fast, and its driver may round the steps of a norm otherwise in one kernel than in another.
 */
export function suitsProject(gpu: Gpu): boolean {
  return kindOf(gpu) === "cpu";
}

/** What {@link project} makes of rows. */
export interface ProjectOptions {
  /** What results are multiplied by; 1 by default. */
  scale?: number;
  /** Rows of the input to take, u32 [...], as `gather` does; all by default. */
  index?: Tensor;
}

/**
 * The same as `map.forward`, to the bit, in one dispatch and without gradients.
 *
 * @param x [..., c]; with an index [V, c]. c and d are multiples of 4, at most 32.
 * @returns [..., d], the first axes being those of the index, or of x.
 */
export function project(
  x: Tensor,
  { linear, norm }: Projection,
  { scale = 1, index }: ProjectOptions = {},
): Tensor {
  const { gpu } = x;
  const [d, c] = linear.weight.shape;
  const y = empty(gpu, [...(index ? index.shape : x.shape.slice(0, -1)), d]);
  const rows = y.size / d;
  const chunk = Math.ceil(rows / INVOCATIONS);
  const beta = norm && "bias" in norm ? norm.bias : undefined;
  gpu.run(kernel, "project", {
    bind: {
      x: x.storage,
      chosen: index?.storage,
      weight: linear.weight.storage,
      bias: linear.bias.storage,
      gamma: norm?.weight.storage,
      beta: beta?.storage,
      y: y.storage,
    },
    params: { rows, table: x.size / c, chunk, scale, epsilon: norm?.eps ?? 0 },
    constants: {
      GROUP,
      BLOCKS: d / 4,
      QUADS: c / 4,
      CHOSEN: Number(index !== undefined),
      NORM: norm ? (beta ? 2 : 1) : 0,
    },
    grid: gridFor(Math.ceil(rows / chunk), GROUP),
  });
  return y;
}
