/**
 * The float64 reference: every operation of the library again, in plain TypeScript on the CPU, written
 * from its definition. Tests compare the GPU with it, and reference_test.ts compares it with PyTorch.
 */
export * from "./reference/ndarray.ts";
export * from "./reference/elementwise.ts";
export * from "./reference/matmul.ts";
export * from "./reference/conv.ts";
export * from "./reference/norm.ts";
export * from "./reference/pool.ts";
export * from "./reference/softmax.ts";
export * from "./reference/resample.ts";
export * from "./reference/reduce.ts";
export * from "./reference/layout.ts";
export * from "./reference/optim.ts";
