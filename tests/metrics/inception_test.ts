import { assertEquals, assertThrows } from "@std/assert";
import { SafetensorsFile } from "../../src/checkpoint/mod.ts";
import { InceptionV3 } from "../../src/metrics/mod.ts";
import { averageOfNeighbours } from "../../src/metrics/inception/average_pool.ts";
import type { WeightSource } from "../../src/nn/mod.ts";
import { fromArray, full, noGrad, ShapeError } from "../../src/tensor/mod.ts";
import { generate } from "../conformance/generated.ts";
import { assertClose } from "../support/compare.ts";
import { gradcheck } from "../support/gradcheck.ts";
import { flat, gpuTest } from "../support/gpu.ts";
import { Random } from "../support/random.ts";
import { at, build } from "../support/reference/ndarray.ts";

/** Numbers by place and name, as tests/reference/make_inception.py makes them. */
function generated(name: string, shape: readonly number[], center: number, bound: number) {
  let seed = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(name)) seed = Math.imul(seed ^ byte, 0x01000193);
  return generate({ shape: [...shape], seed, center, bound });
}

const weights: WeightSource = {
  file: "generated weights",
  has: () => true,
  floats(name, shape) {
    const fanIn = shape.slice(1).reduce((product, n) => product * n, 1);
    const values = name.endsWith("conv.weight")
      ? generated(name, shape, 0, Math.sqrt(6 / fanIn))
      : generated(name, shape, /bn\.weight|running_var/.test(name) ? 1 : 0, 0.25);
    return Promise.resolve(values);
  },
};

gpuTest("InceptionV3: pool3 of generated weights is PyTorch's", async (gpu) => {
  const fixture = new URL("../fixtures/inception.safetensors", import.meta.url);
  const file = SafetensorsFile.fromBytes(await Deno.readFile(fixture), "inception.safetensors");
  const expected = await file.floats("pooled");
  const shape = [1, 40, 56, 3];
  await flat(gpu, async () => {
    using inception = await InceptionV3.load(gpu, weights);
    const read = () => {
      using _scope = gpu.scope();
      const pooled = inception.pooled(fromArray(gpu, generated("image", shape, 0, 1), shape));
      assertEquals(pooled.shape, [1, 2048]);
      return pooled.readF32();
    };
    const found = await noGrad(read);
    assertClose(found, expected);
    using wrong = full(gpu, [1, 40, 56, 4], 0);
    assertThrows(
      () => inception.pooled(wrong),
      ShapeError,
      "[1, 40, 56, 4]",
    );
  });
});

for (const shape of [[1, 1, 1, 3], [2, 3, 5, 4], [1, 7, 2, 5]]) {
  gpuTest(`averageOfNeighbours [${shape}]: float64 and finite differences`, async () => {
    const [, height, width] = shape;
    await gradcheck({
      name: `averageOfNeighbours [${shape}]`,
      inputs: [new Random(1).normal(shape)],
      op: ([x]) => averageOfNeighbours(x),
      reference: ([x]) =>
        build(x.shape, ([n, y, column, c]) => {
          let [sum, count] = [0, 0];
          for (let r = Math.max(y - 1, 0); r <= Math.min(y + 1, height - 1); r++) {
            for (let k = Math.max(column - 1, 0); k <= Math.min(column + 1, width - 1); k++) {
              [sum, count] = [sum + at(x, [n, r, k, c]), count + 1];
            }
          }
          return sum / count;
        }),
      forward: 1e-6,
      tolerance: 1e-5,
    });
  });
}
