/**
 * The operations: each file holds one, with its check, its forward and its gradient.
 *
 * @module
 */
export { groupNorm, type GroupNormOptions } from "./group_norm.ts";
