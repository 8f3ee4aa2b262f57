import { matmul, type MatmulOptions } from "../src/ops/mod.ts";
import { gpuBench, noise } from "./support.ts";

const products: [name: string, m: number, k: number, n: number, options?: MatmulOptions][] = [
  ["512³", 512, 512, 512],
  ["1024³", 1024, 1024, 1024],
  ["logits, 4,096 tokens by 1,024 codes of 32", 4096, 32, 1024, { transposeB: true }],
  ["weight gradient, 16,384 tokens, 128 by 128", 128, 16384, 128, { transposeA: true }],
];

for (const [name, m, k, n, options = {}] of products) {
  gpuBench({
    name: `matmul ${name}`,
    flop: 2 * m * k * n,
    calls: 4,
    setup: (gpu) => {
      const a = noise(gpu, options.transposeA ? [k, m] : [m, k]);
      const b = noise(gpu, options.transposeB ? [n, k] : [k, n]);
      return () => matmul(a, b, options);
    },
  });
}
