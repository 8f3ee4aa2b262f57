import { assertEquals } from "@std/assert";
import { add, mul, stopGradient, sum } from "../../src/ops/mod.ts";
import { fromArray, gradients } from "../../src/tensor/mod.ts";
import { flat, gpuTest } from "../support/gpu.ts";

gpuTest("stopGradient: the values pass, the gradient does not", async (gpu) => {
  const results = await flat(gpu, () => {
    using _scope = gpu.scope();
    const x = fromArray(gpu, [2, -3], [2]).requireGrad();
    const squared = mul(x, x);
    const y = add(mul(stopGradient(squared), x), squared); // x³ + x² in value, x² + 2x in slope
    const [dx] = gradients(sum(y), [x]);
    return Promise.all([y.read(), dx.read()]);
  });
  assertEquals(results.map((values) => [...values]), [[12, -18], [8, 3]]);
});
