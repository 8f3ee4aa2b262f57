/**
 * The tensor library on its own: GPU arrays, operations with gradients, random numbers.
 *
 * @module
 */
export * from "./gpu/mod.ts";
export * from "./tensor/mod.ts";
export * from "./ops/mod.ts";
