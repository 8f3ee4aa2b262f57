import { conv2d } from "../src/ops/mod.ts";
import { gradients } from "../src/tensor/mod.ts";
import { gpuBench, noise } from "./support.ts";

const convolutions: [size: number, cin: number, cout: number, kernel: number, stride: number][] = [
  [64, 64, 64, 3, 1],
  [64, 128, 128, 3, 1],
  [128, 3, 16, 3, 1],
  [128, 32, 64, 3, 2],
  [128, 32, 3, 3, 1],
  [64, 128, 32, 1, 1],
];

for (const [size, cin, cout, kernel, stride] of convolutions) {
  const name = `conv2d ${kernel}×${kernel}/${stride} ${cin}→${cout} at ${size}²`;
  const flop = 2 * (size / stride) ** 2 * kernel ** 2 * cin * cout;
  const options = { stride, padding: (kernel - 1) / 2 };
  gpuBench({
    name: `${name} forward`,
    group: name,
    baseline: true,
    flop,
    calls: 4,
    setup: (gpu) => {
      const x = noise(gpu, [1, size, size, cin]);
      const weight = noise(gpu, [kernel, kernel, cin, cout]);
      const bias = noise(gpu, [cout]);
      return () => conv2d(x, weight, bias, options);
    },
  });
  gpuBench({
    name: `${name} forward and backward`,
    group: name,
    flop: 3 * flop,
    calls: 4,
    setup: (gpu) => {
      const x = noise(gpu, [1, size, size, cin]).requireGrad();
      const weight = noise(gpu, [kernel, kernel, cin, cout]).requireGrad();
      const bias = noise(gpu, [cout]).requireGrad();
      const seed = noise(gpu, [1, size / stride, size / stride, cout]);
      return () => gradients(conv2d(x, weight, bias, options), [x, weight, bias], { seed });
    },
  });
}
