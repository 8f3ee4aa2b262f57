import { type Shape, sizeOf } from "../tensor/mod.ts";
import type { Initializer } from "./parameters.ts";

const generate = (shape: Shape, next: () => number) =>
  Float32Array.from({ length: sizeOf(shape) }, next);

/** One value everywhere. */
export function constant(value: number): Initializer {
  return (_random, shape) => generate(shape, () => value);
}

/** Normal with mean 0. */
export function normalWith(std: number): Initializer {
  return (random, shape) => generate(shape, () => std * random.normal());
}

/** Normal with mean 0, drawn again beyond ±2: PyTorch's `trunc_normal_` with its default limits. */
export function truncatedNormalWith(std: number): Initializer {
  return (random, shape) => generate(shape, () => std * random.truncatedNormal(2 / std));
}

/** Uniform in ±bound. */
export function uniformWith(bound: number): Initializer {
  return (random, shape) => generate(shape, () => bound * (2 * random.uniform() - 1));
}

/** Uniform in ±1/√fanIn: PyTorch's default for the weight and bias of linear layers and convolutions. */
export function uniformFanIn(fanIn: number): Initializer {
  return uniformWith(1 / Math.sqrt(fanIn));
}
