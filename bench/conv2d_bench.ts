import type { Gpu } from "../src/gpu/mod.ts";
import { algorithms } from "../src/ops/conv2d.ts";
import { algorithmFor } from "../src/ops/conv2d_algorithm.ts";
import {
  add,
  conv2d,
  fusedConv2d,
  type FusedConv2dOptions,
  groupNorm,
  nearest,
} from "../src/ops/mod.ts";
import { full, type Tensor } from "../src/tensor/mod.ts";
import { gpuBench, noise } from "./support.ts";

const convolutions: [size: number, cin: number, cout: number, stride: number][] = [
  [128, 32, 32, 1],
  [64, 64, 64, 1],
  [64, 128, 128, 1],
  [16, 512, 512, 1],
  [128, 3, 16, 1],
  [128, 32, 64, 2],
  [128, 32, 3, 1],
];

for (const [size, cin, cout, stride] of convolutions) {
  const output = size / stride;
  const geometry = {
    batch: 1,
    image: [size, size],
    cin,
    kernel: [3, 3],
    output: [output, output],
    cout,
    stride,
    top: 1,
    left: 1,
  };
  const chosen = algorithmFor(geometry);
  for (const pass of ["forward", "ofInput", "ofWeight"] as const) {
    const what =
      { forward: "", ofInput: ", input's gradient", ofWeight: ", weight's gradient" }[pass];
    const name = `conv2d 3×3/${stride} ${cin}→${cout} at ${size}²${what}`;
    for (const [algorithm, passes] of Object.entries(algorithms)) {
      if (algorithm !== "direct" && algorithm !== chosen) continue;
      gpuBench({
        name: `${name}, ${algorithm}`,
        group: name,
        baseline: algorithm === chosen,
        flop: 2 * output ** 2 * 9 * cin * cout,
        calls: 4,
        setup: (gpu) => {
          const x = noise(gpu, [1, size, size, cin]);
          const weight = noise(gpu, [3, 3, cin, cout]);
          const dy = noise(gpu, [1, output, output, cout]);
          return {
            forward: () => passes.forward(x, weight, undefined, geometry, "f32"),
            ofInput: () => passes.ofInput(dy, weight, geometry),
            ofWeight: () => passes.ofWeight(x, dy, geometry),
          }[pass];
        },
      });
    }
  }
}

gpuBench({
  name: "conv2d 1×1 128→32 at 64²",
  flop: 2 * 64 ** 2 * 128 * 32,
  calls: 4,
  setup: (gpu) => {
    const x = noise(gpu, [1, 64, 64, 128]);
    const weight = noise(gpu, [1, 1, 128, 32]);
    return () => conv2d(x, weight);
  },
});

/** What surrounds a convolution, and the simple operations that it replaces. */
const fusions: Record<string, {
  double?: boolean;
  around: (gpu: Gpu, channels: number, y: Tensor) => FusedConv2dOptions;
  simple: (x: Tensor, weight: Tensor, options: FusedConv2dOptions) => Tensor;
}> = {
  "group norm and SiLU": {
    around: (gpu, channels) => {
      const [gamma, beta] = [1, 0].map((value) => full(gpu, [channels], value));
      return { norm: { gamma, beta, groups: 8, silu: true } };
    },
    simple: (x, weight, { norm }) =>
      conv2d(groupNorm(x, norm!.gamma, norm!.beta, norm!), weight, undefined, { padding: 1 }),
  },
  "a residual": {
    around: (_gpu, _channels, residual) => ({ residual }),
    simple: (x, weight, { residual }) =>
      add(residual!, conv2d(x, weight, undefined, { padding: 1 })),
  },
  "upsampling": {
    double: true,
    around: () => ({ double: true }),
    simple: (x, weight) => {
      const size = { height: 2 * x.shape[1], width: 2 * x.shape[2] };
      return conv2d(nearest(x, size), weight, undefined, { padding: 1 });
    },
  },
};

for (const [size, channels] of [[128, 32], [64, 128]]) {
  for (const [what, { double, around, simple }] of Object.entries(fusions)) {
    const name = `conv2d 3×3 ${channels}→${channels} at ${size}² and ${what}`;
    const setup = (isFused: boolean) => (gpu: Gpu) => {
      const side = double ? size / 2 : size;
      const x = noise(gpu, [1, side, side, channels]);
      const weight = noise(gpu, [3, 3, channels, channels]);
      const options = around(gpu, channels, noise(gpu, [1, size, size, channels]));
      return isFused
        ? () => fusedConv2d(x, weight, undefined, { padding: 1, ...options })
        : () => simple(x, weight, options);
    };
    gpuBench({ name: `${name}, fused`, group: name, baseline: true, setup: setup(true) });
    gpuBench({ name: `${name}, apart`, group: name, setup: setup(false) });
  }
}
