import { assert, assertEquals, assertThrows } from "@std/assert";
import { NearestCodes } from "../../src/quantizer/nearest.ts";
import { fromArray } from "../../src/tensor/mod.ts";
import { flat, gpuTest } from "../support/gpu.ts";
import { Random } from "../support/random.ts";
import { toF32 } from "../support/reference.ts";
import { nearestOf } from "./nearest_reference.ts";

const CASES = [
  { name: "few codes", tokens: [1], codes: 7, channels: 4 },
  { name: "channels that fill no vec4", tokens: [3, 5], codes: 33, channels: 3 },
  { name: "a large codebook", tokens: [2, 4, 5], codes: 16_384, channels: 16 },
  { name: "as many channels as stream", tokens: [33], codes: 512, channels: 31 },
  { name: "too many channels to stream", tokens: [33], codes: 512, channels: 33 },
];

for (const { name, tokens, codes, channels } of CASES) {
  gpuTest(`the nearest code of each latent is found: ${name}`, async (gpu) => {
    const random = new Random(7);
    const codebook = random.normal([codes, channels]);
    const z = random.normal([...tokens, channels]);
    await flat(gpu, async () => {
      using e = fromArray(gpu, toF32(codebook), codebook.shape);
      using latents = fromArray(gpu, toF32(z), z.shape);
      const { shape, read } = (() => {
        using _scope = gpu.scope();
        const index = new NearestCodes(e).find(latents);
        return { shape: index.shape, read: index.readU32() };
      })();
      assertEquals(shape, tokens);
      const { indices, gaps } = nearestOf(toF32(z), toF32(codebook), channels);
      const found = await read;
      const flips = [...found.keys()].filter((t) => found[t] !== indices[t]);
      assert(flips.every((t) => gaps[t] < 1e-5), `codes differ at ${flips.map((t) => gaps[t])}`);
    });
  });
}

gpuTest(
  "where rows are too wide to stream, a token's code does not hang on how many there are",
  async (gpu) => {
    const [codes, channels] = [16_384, 32];
    const random = new Random(7);
    using e = fromArray(gpu, toF32(random.normal([codes, channels])), [codes, channels]);
    const z = toF32(random.normal([300, channels])); // more than one block
    using all = fromArray(gpu, z, [300, channels]);
    using last = fromArray(gpu, z.slice(-channels), [1, channels]);
    const reads = (() => {
      using _scope = gpu.scope();
      const nearest = new NearestCodes(e);
      return [all, last].map((latents) => nearest.find(latents).readU32());
    })();
    const [together, alone] = await Promise.all(reads);
    assertEquals(together.at(-1), alone[0]);
    assertThrows(() => new NearestCodes(e).findWithMargins(all), RangeError, "32 channels");
  },
);

gpuTest("a tie goes to the lowest index, and has no margin", async (gpu) => {
  const rows = [[2, 0], [0, 1], [0, -1], [0, 1]];
  using e = fromArray(gpu, rows.flat(), [4, 2]);
  using z = fromArray(gpu, [0, 0.5, 0.25, 0, 3, 0], [3, 2]);
  const reads = (() => {
    using _scope = gpu.scope();
    const { index, margin } = new NearestCodes(e).findWithMargins(z);
    return [index.read(), margin.read()] as const;
  })();
  assertEquals([...await reads[0]], [1, 1, 0]);
  // half the squared distances of (3, 0) are ½ and 5
  assertEquals([...await reads[1]], [0, 0, 4.5]);
});
