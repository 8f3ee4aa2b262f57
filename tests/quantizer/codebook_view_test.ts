import { assert, assertEquals } from "@std/assert";
import type { Gpu } from "../../src/gpu/mod.ts";
import { layerNorm, matmul, mul, rmsNorm, sum } from "../../src/ops/mod.ts";
import { codebookView, type RowMap } from "../../src/quantizer/codebook_view.ts";
import { gradients, normal, Random, type Tensor } from "../../src/tensor/mod.ts";
import { assertClose, assertSame } from "../support/compare.ts";
import { flat, gpuTest } from "../support/gpu.ts";

const [CHANNELS, WIDTH] = [8, 12];

/** A linear map and its normalisation. */
function keysMap(gpu: Gpu, norm: "rms" | "layer" | "none"): RowMap {
  const make = (shape: number[], seed: number) => normal(gpu, shape, new Random(seed));
  const [weight, bias] = [make([WIDTH, CHANNELS], 1), make([WIDTH], 2)];
  const [gamma, beta] = [make([WIDTH], 3), make([WIDTH], 4)];
  const linear = (x: Tensor) => matmul(x, weight, { transposeB: true, bias });
  const maps = {
    none: { forward: linear, parameters: [weight, bias] },
    rms: { forward: (x: Tensor) => rmsNorm(linear(x), gamma), parameters: [weight, bias, gamma] },
    layer: {
      forward: (x: Tensor) => layerNorm(linear(x), gamma, beta),
      parameters: [weight, bias, gamma, beta],
    },
  };
  return maps[norm];
}

/** The map's rows, used twice, and the gradients of all that wants one. */
function everything(gpu: Gpu, codes: number, norm: "rms" | "layer" | "none", wanted: boolean[]) {
  const run = (view: (codebook: Tensor, map: RowMap) => Tensor) => {
    using _scope = gpu.scope();
    const codebook = normal(gpu, [codes, CHANNELS], new Random(5));
    const map = keysMap(gpu, norm);
    const inputs = [codebook, ...map.parameters].filter((_, i) => wanted[i] ?? true);
    for (const input of inputs) input.requireGrad();
    const rows = view(codebook, map);
    const y = sum(mul(mul(rows, rows), normal(gpu, rows.shape, new Random(6))));
    return Promise.all([rows, ...gradients(y, inputs)].map((tensor) => tensor.readF32()));
  };
  return Promise.all([run(codebookView), run((codebook, map) => map.forward(codebook))]);
}

for (const norm of ["rms", "layer", "none"] as const) {
  gpuTest(`a codebook in blocks is the codebook as a whole, norm ${norm}`, async (gpu) => {
    for (const codes of [1, 7, 2048, 2049, 8192, 9000]) {
      const [found, whole] = await flat(gpu, () => everything(gpu, codes, norm, []));
      assertEquals(found.length, whole.length);
      assertSame(found[0], whole[0], `rows of ${codes} codes`);
      assertSame(found[1], whole[1], `gradient of ${codes} codes`);
      found.slice(2).forEach((gradient, i) =>
        // sums over codes, in another order
        assertClose(gradient, whole[i + 2], {
          relative: 1e-5,
          name: `gradient ${i}, ${codes} codes`,
        })
      );
    }
  });
}

gpuTest("only what wants a gradient receives one", async (gpu) => {
  for (const wanted of [[false], [true, false, false, false], [false, false, true, false]]) {
    const [found, whole] = await flat(gpu, () => everything(gpu, 3000, "rms", wanted));
    assertEquals(found.length, whole.length);
    found.forEach((gradient, i) => assertClose(gradient, whole[i], { relative: 1e-5 }));
  }
});

gpuTest("two views of one codebook add up to one gradient", async (gpu) => {
  const run = (view: (codebook: Tensor, map: RowMap) => Tensor) => {
    using _scope = gpu.scope();
    const codebook = normal(gpu, [5000, CHANNELS], new Random(5)).requireGrad();
    const [first, second] = [keysMap(gpu, "rms"), keysMap(gpu, "layer")];
    const y = sum(mul(view(codebook, first), view(codebook, second)));
    return gradients(y, [codebook])[0].readF32();
  };
  const [found, whole] = await Promise.all([
    run(codebookView),
    run((codebook, map) => map.forward(codebook)),
  ]);
  assertSame(found, whole);
});

gpuTest("between the codebook and its view there is one block at a time", async (gpu) => {
  const peakOf = async (codes: number) => {
    await gpu.sync();
    const before = gpu.memory.live;
    gpu.resetPeak();
    {
      using _scope = gpu.scope();
      const map = keysMap(gpu, "rms");
      using codebook = normal(gpu, [codes, CHANNELS], new Random(5)).requireGrad();
      const rows = codebookView(codebook, map);
      gradients(rows, [codebook, ...map.parameters.map((p) => p.requireGrad())], { seed: rows });
    }
    await gpu.sync();
    return gpu.memory.peak - before;
  };
  const growth = (await peakOf(30_000) - await peakOf(10_000)) / 20_000;
  // codebook, its gradient and the view, which is its own cotangent
  const needed = 4 * (2 * CHANNELS + WIDTH);
  assert(growth <= needed, `${growth} bytes a code, expected ${needed}`);
});
