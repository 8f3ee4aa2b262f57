import { assert, assertEquals, assertThrows } from "@std/assert";
import type { Gpu } from "../../src/gpu/mod.ts";
import { add, conv2d, groupNorm, nearest } from "../../src/ops/mod.ts";
import { withConvolution } from "../../src/ops/conv2d_algorithm.ts";
import { fusedConv2d, type FusedConv2dOptions } from "../../src/ops/fused_conv2d.ts";
import { fromArray, full, gradients, ShapeError, type Tensor } from "../../src/tensor/mod.ts";
import { assertClose } from "../support/compare.ts";
import { flat, gpuTest } from "../support/gpu.ts";
import { gradcheck } from "../support/gradcheck.ts";
import { Random } from "../support/random.ts";
import * as reference from "../support/reference.ts";
import { type NDArray, toF32 } from "../support/reference.ts";

/** One combination of neighbours. */
interface Case {
  name: string;
  x: number[];
  cout: number;
  padding: number;
  groups?: number;
  silu?: boolean;
  double?: boolean;
  plus?: boolean;
}

const cases: Case[] = [
  { name: "norm", x: [2, 5, 7, 8], cout: 4, padding: 1, groups: 4 },
  { name: "norm and SiLU", x: [2, 3, 9, 8], cout: 12, padding: 1, groups: 2, silu: true },
  { name: "no padding", x: [1, 6, 5, 4], cout: 4, padding: 0, groups: 1, silu: true },
  { name: "residual", x: [1, 7, 3, 4], cout: 8, padding: 1, plus: true },
  {
    name: "all of a block",
    x: [2, 5, 5, 4],
    cout: 4,
    padding: 1,
    groups: 2,
    silu: true,
    plus: true,
  },
  { name: "double", x: [2, 3, 5, 4], cout: 8, padding: 1, double: true },
  { name: "double, one pixel", x: [1, 1, 1, 4], cout: 4, padding: 1, double: true },
  { name: "double and residual", x: [1, 2, 7, 8], cout: 4, padding: 1, double: true, plus: true },
  // What the transforms cannot do at once is composed of the simple operations.
  { name: "norm and double", x: [1, 3, 3, 4], cout: 4, padding: 1, groups: 2, double: true },
  { name: "double, no padding", x: [1, 3, 2, 4], cout: 4, padding: 0, double: true },
  { name: "odd channels", x: [1, 3, 5, 6], cout: 7, padding: 1, groups: 3, plus: true },
];

for (const algorithm of ["winograd", "direct"] as const) {
  gpuTest(
    `fusedConv2d, ${algorithm}: float64 and finite differences`,
    () =>
      withConvolution(algorithm, async () => {
        for (const one of cases) {
          await gradcheck({
            name: `fusedConv2d, ${one.name}`,
            inputs: inputsOf(one),
            coordinates: 16,
            op: (inputs) => fusedConv2d(...argumentsOf(one, inputs)),
            reference: (inputs) => inFloat64(one, inputs),
          });
        }
      }),
  );
}

for (const algorithm of ["winograd", "direct"] as const) {
  gpuTest(
    `fusedConv2d, ${algorithm}: given statistics are constants to the gradients`,
    () =>
      withConvolution(algorithm, async () => {
        const random = new Random(5);
        const [mean, variance] = [[0.3, -0.2, 0, 1], [0.5, 2, 1, 3]];
        await gradcheck({
          name: "fusedConv2d, statistics",
          inputs: [[2, 3, 5, 8], [3, 3, 8, 4], [8], [8]].map((shape) => random.normal(shape)),
          op: ([x, weight, gamma, beta]) => {
            const of = (numbers: number[]) => fromArray(x.gpu, numbers, [2, 2]);
            const statistics = { mean: of(mean), variance: of(variance) };
            const norm = { gamma, beta, groups: 2, eps: 1e-3, statistics };
            return fusedConv2d(x, weight, undefined, { padding: 1, norm });
          },
          reference: ([x, weight, gamma, beta]) => {
            const data = x.data.map((value, i) => {
              const [image, channel] = [Math.floor(i / 120), i % 8];
              const group = 2 * image + Math.floor(channel / 4);
              const normal = (value - mean[group]) / Math.sqrt(variance[group] + 1e-3);
              return normal * gamma.data[channel] + beta.data[channel];
            });
            return reference.conv2d({ shape: x.shape, data }, weight, null, { padding: 1 });
          },
        });
      }),
  );
}

gpuTest(
  "fusedConv2d equals the simple operations, and its gradients theirs",
  (gpu) =>
    withConvolution("winograd", async () => {
      for (const one of cases) {
        const [found, expected] = await Promise.all(
          [fusedConv2d, simple].map((op) =>
            run(gpu, () => {
              const inputs = inputsOf(one).map((x) =>
                fromArray(gpu, toF32(x), x.shape).requireGrad()
              );
              const y = op(...argumentsOf(one, inputs));
              return [y, ...gradients(y, inputs, { seed: full(gpu, y.shape, 0.7) })];
            })
          ),
        );
        found.forEach((values, i) =>
          assertClose(values, expected[i], { relative: 2e-6, name: `${one.name}: ${i}` })
        );
      }
    }),
);

gpuTest("fusedConv2d: an image alone gives the bits it has in a batch", async (gpu) => {
  for (const one of cases) {
    await withConvolution("winograd", async () => {
      const inputs = inputsOf({ ...one, x: one.x.with(0, 3) });
      const compute = (pick: (x: NDArray, i: number) => NDArray) =>
        run(gpu, () => {
          const tensors = inputs.map(pick).map((x) => fromArray(gpu, toF32(x), x.shape));
          return [fusedConv2d(...argumentsOf(one, tensors))];
        });
      const isImages = (i: number) => i === 0 || (one.plus === true && i === 3);
      const [together] = await compute((x) => x);
      for (let image = 0; image < 3; image++) {
        const [alone] = await compute((x, i) =>
          isImages(i) ? reference.slice(x, [image, 0, 0, 0], [image + 1, ...x.shape.slice(1)]) : x
        );
        assertEquals(alone, together.subarray(image * alone.length, (image + 1) * alone.length));
      }
    });
  }
});

gpuTest(
  "fusedConv2d keeps x for the gradients, and nothing of its size beside it",
  (gpu) =>
    flat(gpu, () =>
      withConvolution("winograd", () => {
        using _scope = gpu.scope();
        const [x, weight, gamma, beta] = [[1, 16, 16, 8], [3, 3, 8, 8], [8], [8]].map((shape) =>
          full(gpu, shape, 1).requireGrad()
        );
        const norm = { gamma, beta, groups: 2, silu: true };
        const before = gpu.memory.live;
        const y = fusedConv2d(x, weight, undefined, { padding: 1, norm, residual: x });
        assert(gpu.memory.live - before - y.size * 4 < 256);
        gradients(y, [x, weight, gamma, beta], { seed: y });
      })),
);

gpuTest("fusedConv2d refuses what does not fit", (gpu) => {
  using _scope = gpu.scope();
  const x = full(gpu, [1, 4, 4, 8], 1);
  const weight = full(gpu, [3, 3, 8, 4], 1);
  const [gamma, beta] = [full(gpu, [8], 1), full(gpu, [8], 0)];
  const refuse = (options: FusedConv2dOptions, message: string, kind = ShapeError) =>
    assertThrows(() => fusedConv2d(x, weight, undefined, options), kind, message);
  refuse({ residual: x, padding: 1 }, "expected [1, 4, 4, 4]");
  refuse({ residual: full(gpu, [1, 4, 4, 4], 1), padding: 1, double: true }, "[1, 8, 8, 4]");
  refuse({ norm: { gamma: full(gpu, [4], 1), beta, groups: 2 } }, "gamma");
  const statistics = { mean: full(gpu, [1, 2], 0), variance: full(gpu, [2], 1) };
  refuse({ norm: { gamma, beta, groups: 2, statistics } }, "variance [2]: expected [1, 2]");
  assertThrows(
    () => fusedConv2d(x, weight, undefined, { norm: { gamma, beta, groups: 3 } }),
    RangeError,
    "3 groups",
  );
});

/** x, weight, bias, then what the case adds: the residual, gamma and beta. */
function inputsOf({ x, cout, padding, groups, double, plus }: Case): NDArray[] {
  const random = new Random(x[1] + 10 * x[2] + 100 * x[3]);
  const [batch, height, width, cin] = x;
  const sides = [height, width].map((n) => (double ? 2 * n : n) + 2 * padding - 2);
  return [
    x,
    [3, 3, cin, cout],
    [cout],
    ...(plus ? [[batch, ...sides, cout]] : []),
    ...(groups ? [[cin], [cin]] : []),
  ].map((shape) => random.normal(shape));
}

/** The options that hold some inputs, tensors or arrays, given in the order of {@link inputsOf}. */
function around<T>({ plus, groups }: Case, inputs: readonly T[]) {
  const rest = inputs.slice(3);
  const residual = plus ? rest[0] : undefined;
  const [gamma, beta] = groups ? rest.slice(-2) : [];
  return { residual, gamma, beta };
}

function argumentsOf(one: Case, inputs: Tensor[]): Parameters<typeof fusedConv2d> {
  const { padding, groups, silu, double } = one;
  const { residual, gamma, beta } = around(one, inputs);
  const norm = groups && gamma && beta ? { gamma, beta, groups, silu } : undefined;
  return [inputs[0], inputs[1], inputs[2], { padding, norm, double, residual }];
}

function inFloat64(one: Case, inputs: NDArray[]): NDArray {
  const { residual, gamma, beta } = around(one, inputs);
  let x = inputs[0];
  if (one.groups) x = reference.groupNorm(x, gamma!, beta!, { groups: one.groups });
  if (one.silu) x = reference.silu(x);
  if (one.double) x = reference.upsampleNearest(x, 2);
  const y = reference.conv2d(x, inputs[1], inputs[2], { padding: one.padding });
  return residual ? reference.add(residual, y) : y;
}

/** The composed twin. */
function simple(
  x: Tensor,
  weight: Tensor,
  bias: Tensor | undefined,
  { norm, double, residual, ...options }: FusedConv2dOptions = {},
): Tensor {
  const normed = norm ? groupNorm(x, norm.gamma, norm.beta, norm) : x;
  const [, height, width] = x.shape;
  const read = double ? nearest(normed, { height: 2 * height, width: 2 * width }) : normed;
  const y = conv2d(read, weight, bias, options);
  return residual ? add(residual, y) : y;
}

function run(gpu: Gpu, work: () => Tensor[]): Promise<Float32Array[]> {
  using _scope = gpu.scope();
  return Promise.all(work().map((tensor) => tensor.readF32()));
}
