import { assert, assertEquals } from "@std/assert";
import { withConvolution } from "../../src/ops/conv2d_algorithm.ts";
import { conv2d, fusedConv2d, groupNorm, mul, sum } from "../../src/ops/mod.ts";
import {
  checkpoint,
  fromArray,
  gradients,
  type Tensor,
  withHalfActivations,
} from "../../src/tensor/mod.ts";
import { assertSame, relativeError } from "../support/compare.ts";
import { flat, gpuTest } from "../support/gpu.ts";
import { Random } from "../support/random.ts";
import { toF32 } from "../support/reference.ts";

const SHAPES = [[2, 5, 6, 16], [3, 3, 16, 16], [16], [16], [3, 3, 16, 5], [1, 1, 16, 5]];

/** Every operation that keeps activations: fused and plain, 3×3 and 1×1, with norms. */
function network([x, weight, gamma, beta, narrow, pointwise]: readonly Tensor[]): Tensor {
  const norm = { gamma, beta, groups: 4, silu: true };
  const y = fusedConv2d(x, weight, undefined, { padding: 1, norm, residual: x });
  const normed = groupNorm(y, gamma, beta, { groups: 2 });
  const [a, b] = [conv2d(normed, narrow, undefined, { padding: 1 }), conv2d(normed, pointwise)];
  return sum(mul(a, b));
}

for (const algorithm of ["winograd", "direct"] as const) {
  gpuTest(
    `activations kept in f16, ${algorithm}: gradients but for rounding, forward to the bit`,
    (gpu) =>
      withConvolution(algorithm, () =>
        flat(gpu, async () => {
          using _scope = gpu.scope();
          const random = new Random(5);
          const inputs = SHAPES.map((shape) =>
            fromArray(gpu, toF32(random.normal(shape)), shape).requireGrad()
          );
          const run = (work: () => Tensor) => {
            const before = gpu.memory.live;
            const y = (() => {
              using scope = gpu.scope();
              return scope.keep(work());
            })();
            const kept = gpu.memory.live - before;
            const found = gradients(y, inputs).map((gradient) => gradient.readF32());
            return { kept, read: Promise.all([y.readF32(), ...found]) };
          };
          const whole = run(() => network(inputs));
          const half = run(() => withHalfActivations(() => network(inputs)));
          const again = run(() => withHalfActivations(() => checkpoint(network, inputs)));
          const [[y, ...expected], [yHalf, ...found]] = await Promise.all([whole.read, half.read]);
          assertSame(yHalf, y, "forward");
          const errors = found.map((values, i) => relativeError(values, expected[i]));
          assert(errors.every((error) => error < 1e-3), `${errors}`);
          assert(errors[1] > 1e-7, `${errors}`); // of the first weight
          assertEquals((await again.read).slice(1), found, "done again");
          assert(half.kept < whole.kept, `${half.kept} bytes, ${whole.kept} in f32`);
        })),
  );
}

gpuTest("what several operations keep in f16 is one copy, and gone with them", (gpu) => {
  using _scope = gpu.scope();
  const x = fromArray(gpu, new Float32Array(64 * 4), [1, 8, 8, 4]);
  const weights = [1, 2, 3].map((n) =>
    fromArray(gpu, new Float32Array(16).fill(n), [1, 1, 4, 4]).requireGrad()
  );
  const before = gpu.memory.live;
  const results = withHalfActivations(() => weights.map((weight) => conv2d(x, weight)));
  const bytes = (tensor: Tensor) => tensor.storage.byteLength;
  const made = results.reduce((total, y) => total + bytes(y), 0);
  assertEquals(gpu.memory.live - before, made + bytes(x) / 2);
  for (const y of results) y.dispose();
  assertEquals(gpu.memory.live, before);
  const [y] = withHalfActivations(() => [conv2d(x, weights[0])]); // a copy of its own
  assertEquals(gpu.memory.live - before, bytes(y) + bytes(x) / 2);
});
