import type { Storage } from "../gpu/mod.ts";
import { PAGE_BLOCK } from "../nn/mod.ts";
import type { Tensor } from "../tensor/mod.ts";

/** How many gradients one dispatch of kernels/gradients.wgsl reads; WebGPU promises eight bindings. */
const AT_ONCE = 7;

/** A dispatch's share of many gradients. */
export interface BlockGroup {
  /** x0 to x6; where there are fewer gradients, the last is bound again. */
  readonly bind: Record<string, Storage>;
  /** Their sizes, n0 to n6, and `first`, the number of their first block among all. */
  readonly params: Record<string, number>;
  /** How many blocks they have. */
  readonly blocks: number;
}

/** How many blocks a tensor of `size` elements has. */
export function blocksOf(size: number): number {
  return Math.ceil(size / PAGE_BLOCK);
}

/** How many blocks there are in all. */
export function countBlocks(gradients: readonly Tensor[]): number {
  return gradients.reduce((count, { size }) => count + blocksOf(size), 0);
}

/** Gradients in blocks of {@link PAGE_BLOCK}, none of which spans two of them, by dispatch. */
export function* blockGroups(gradients: readonly Tensor[]): Generator<BlockGroup> {
  let first = 0;
  for (let at = 0; at < gradients.length; at += AT_ONCE) {
    const group = gradients.slice(at, at + AT_ONCE);
    const bind: Record<string, Storage> = {};
    const params: Record<string, number> = { first };
    for (let i = 0; i < AT_ONCE; i++) {
      bind[`x${i}`] = (group[i] ?? group.at(-1)).storage;
      params[`n${i}`] = group[i]?.size ?? 0;
    }
    const blocks = countBlocks(group);
    yield { bind, params, blocks };
    first += blocks;
  }
}

/** `params` of a dispatch that reads no gradient. */
export const NO_GRADIENTS: Readonly<Record<string, number>> = {
  first: 0,
  n0: 0,
  n1: 0,
  n2: 0,
  n3: 0,
  n4: 0,
  n5: 0,
  n6: 0,
};
