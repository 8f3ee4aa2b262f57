import type { Gpu } from "../../../src/gpu/mod.ts";
import { Linear, Parameters } from "../../../src/nn/mod.ts";
import { affine, gather } from "../../../src/ops/mod.ts";
import type { QuantizerNorm } from "../../../src/quantizer/mod.ts";
import { normLayer, Projection } from "../../../src/quantizer/projection.ts";
import { project } from "../../../src/quantizer/streaming/project.ts";
import { fromArray, normal, Random, type Shape } from "../../../src/tensor/mod.ts";
import { assertSame } from "../../support/compare.ts";
import { flat, gpuTest } from "../../support/gpu.ts";

/** A projection none of whose parameters is at its first value, so that each counts. */
function makeProjection(parameters: Parameters, c: number, d: number, norm: QuantizerNorm) {
  const linear = new Linear(parameters.at("linear"), c, d);
  const projection = new Projection(linear, normLayer(parameters.at("norm"), norm, d));
  for (const { name, tensor } of parameters) {
    const random = new Random(tensor.size);
    parameters.set(name, Float32Array.from({ length: tensor.size }, () => random.normal()));
  }
  return projection;
}

const CASES: [rows: Shape, c: number, d: number, norm: QuantizerNorm][] = [
  [[1], 16, 32, "rms"],
  [[2, 3, 5], 16, 32, "layer"],
  [[65], 4, 8, "rms"],
  [[1000], 32, 4, "layer"],
  [[129], 12, 20, "none"],
];

async function compare(gpu: Gpu, [rows, c, d, norm]: typeof CASES[number]): Promise<void> {
  using parameters = new Parameters(gpu);
  const projection = makeProjection(parameters, c, d, norm);
  using _scope = gpu.scope();
  const x = normal(gpu, [...rows, c], new Random(1));
  const scale = 1 / Math.sqrt(d);
  const pairs = [
    [project(x, projection), projection.forward(x)],
    [project(x, projection, { scale }), affine(projection.forward(x), scale, 0)],
  ];
  const table = normal(gpu, [40, c], new Random(2));
  const index = fromArray(gpu, new Uint32Array([7, 0, 39, 7, 41, 3]), [2, 3]); // 41 reads the last
  pairs.push([project(table, projection, { index }), projection.forward(gather(table, index))]);
  for (const [found, expected] of pairs) {
    const values = await found.readF32();
    assertSame(values, await expected.readF32(), `${rows} rows, ${c} to ${d}, norm ${norm}`);
    assertSame(found.shape, expected.shape);
  }
}

gpuTest("a projection in one dispatch gives the bits of its layers", async (gpu) => {
  for (const one of CASES) await flat(gpu, () => compare(gpu, one));
});
