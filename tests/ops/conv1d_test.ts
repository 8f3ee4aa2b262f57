import { assertThrows } from "@std/assert";
import { conv1d, type Conv1dOptions } from "../../src/ops/conv1d.ts";
import { full, gradients, ShapeError, type Tensor, zeros } from "../../src/tensor/mod.ts";
import { flat, gpuTest } from "../support/gpu.ts";
import { gradcheck } from "../support/gradcheck.ts";
import { Random } from "../support/random.ts";
import * as reference from "../support/reference.ts";
import { torchcheck } from "../support/torchcheck.ts";

const cases: [x: number[], weight: number[], options: Conv1dOptions][] = [
  [[1, 1, 1], [1, 1, 1], {}],
  [[2, 7, 3], [3, 3, 5], { padding: 1 }],
  [[1, 9, 4], [5, 4, 8], { padding: 2, paddingMode: "circular" }],
  [[2, 5, 3], [5, 3, 3], { padding: { left: 4, right: 0 }, paddingMode: "circular" }],
  [[1, 33, 5], [4, 5, 3], { stride: 2, padding: { left: 0, right: 3 } }],
  [[1, 11, 3], [3, 3, 7], { stride: 3, padding: 1, paddingMode: "circular" }],
];

gpuTest("conv1d: float64 and finite differences", async () => {
  for (const [x, weight, options] of cases) {
    const random = new Random(x[1]);
    await gradcheck({
      name: `conv1d [${x}] [${weight}] ${JSON.stringify(options)}`,
      inputs: [random.normal(x), random.normal(weight), random.normal([weight[2]])],
      op: ([x, weight, bias]) => conv1d(x, weight, bias, options),
      reference: ([x, weight, bias]) => reference.conv1d(x, weight, bias, options),
    });
  }
});

gpuTest("conv1d equals PyTorch's", async () => {
  await torchcheck("conv1d", ([x, weight, bias], options) => conv1d(x, weight, bias, options));
});

gpuTest("conv1d leaves no bytes behind", async (gpu) => {
  await flat(gpu, () => {
    using _scope = gpu.scope();
    const x = full(gpu, [2, 9, 3], 1).requireGrad();
    const weight = full(gpu, [3, 3, 5], 1).requireGrad();
    const bias = full(gpu, [5], 1).requireGrad();
    const y = conv1d(x, weight, bias, { padding: 1, paddingMode: "circular" });
    gradients(y, [x, weight, bias], { seed: full(gpu, y.shape, 1) });
  });
});

gpuTest("conv1d refuses what does not fit", (gpu) => {
  using _scope = gpu.scope();
  const x = zeros(gpu, [1, 5, 3]);
  const weight = zeros(gpu, [3, 3, 8]);
  const refused: [() => Tensor, string][] = [
    [() => conv1d(zeros(gpu, [5, 3]), weight), "x [5, 3]"],
    [() => conv1d(x, zeros(gpu, [3, 8, 3])), "x has 3 channels"],
    [() => conv1d(x, weight, zeros(gpu, [3])), "expected [8]"],
    [() => conv1d(x, zeros(gpu, [6, 3, 8])), "conv1d: x [1, 5, 3], weight [6, 3, 8]"],
  ];
  for (const [work, message] of refused) assertThrows(work, ShapeError, message);
  assertThrows(
    () => conv1d(x, weight, undefined, { padding: 6, paddingMode: "circular" }),
    RangeError,
  );
  assertThrows(
    () => conv1d(x, weight, undefined, { stride: 0 }),
    RangeError,
    "conv1d: stride 0",
  );
  const padding = { left: 1, right: -1 };
  assertThrows(() => conv1d(x, weight, undefined, { padding }), RangeError, "conv1d: padding -1");
});
