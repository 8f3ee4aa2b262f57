import { assert, assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import { Gpu, OutOfMemoryError } from "../../src/gpu/mod.ts";
import { injectLora } from "../../src/nn/mod.ts";
import { fromArray, Random, zeros } from "../../src/tensor/mod.ts";
import { highestBands } from "../../src/vae/band_heights.ts";
import { planInBands, planWhole } from "../../src/vae/memory_plan.ts";
import { AutoencoderKL, type VaeConfig } from "../../src/vae/mod.ts";
import { runInBands } from "../../src/vae/run_bands.ts";
import type { Stages } from "../../src/vae/stages.ts";
import { assertClose, assertSame } from "../support/compare.ts";
import { flat, gpuTest } from "../support/gpu.ts";
import { Random as Values } from "../support/random.ts";
import { toF32 } from "../support/reference.ts";

/** Every kind of layer: attention among the levels and in the middle, shortcuts, both 1×1 convs. */
const CONFIG: VaeConfig = {
  inChannels: 3,
  channels: [8, 16, 16],
  blocksPerLevel: 1,
  latentChannels: 4,
  normGroups: 4,
  midAttention: true,
  encoderAttentionLevels: [2],
  quantConv: true,
  postQuantConv: true,
  scale: 1,
  shift: 0,
};

/** An autoencoder at work on an image of noise, in one of its directions. */
class Work implements Disposable {
  readonly values: Float32Array;
  #gpu: Gpu;
  readonly vae: AutoencoderKL;
  #size: { height: number; width: number };
  #shape: number[];
  #encodes: boolean;

  constructor(gpu: Gpu, kind: "encode" | "decode", height: number, width: number) {
    this.#gpu = gpu;
    this.vae = new AutoencoderKL(gpu, CONFIG);
    this.vae.parameters.initialize(new Random(1));
    this.#size = { height, width };
    this.#encodes = kind === "encode";
    this.#shape = this.#encodes ? [1, height, width, 3] : [1, height / 4, width / 4, 4];
    this.values = toF32(new Values(height).normal(this.#shape));
  }

  stages(keyParts = 1): Stages {
    return this.#encodes
      ? this.vae.encoderStages(this.#size, keyParts)
      : this.vae.decoderStages(this.#size, keyParts);
  }

  whole() {
    const x = fromArray(this.#gpu, this.values, this.#shape);
    return this.#encodes ? this.vae.moments(x) : this.vae.decode(x);
  }

  read(): Promise<Float32Array> {
    using _scope = this.#gpu.scope();
    return this.whole().readF32();
  }

  [Symbol.dispose](): void {
    this.vae[Symbol.dispose]();
  }
}

/** Ever less room, as long as bands are found that fit into it. */
function* ever(gpu: Gpu, stages: Stages, onHost: boolean) {
  for (let found = highestBands(gpu, stages, onHost, Infinity), room = Infinity;;) {
    if (found.bytes > room) return;
    yield found;
    room = Math.floor(0.8 * found.bytes);
    found = highestBands(gpu, stages, onHost, room);
  }
}

for (const kind of ["encode", "decode"] as const) {
  for (const [height, width] of [[52, 36], [4, 8]]) {
    for (const onHost of [false, true]) {
      const where = onHost ? "the host" : "the GPU";
      const name = `${kind} ${width}×${height} in bands with the maps on ${where}`;
      gpuTest(`${name}: the bits of the whole, the bytes as planned`, async () => {
        using gpu = await Gpu.create({ poolBytes: 0 });
        using work = new Work(gpu, kind, height, width);
        const expected = await work.read();
        const stages = work.stages();
        for (const { bands, bytes } of ever(gpu, stages, onHost)) {
          const before = gpu.memory.reserved;
          gpu.resetPeak();
          const found = await flat(gpu, () => runInBands(gpu, stages, bands, work.values));
          assertSame(found, expected, `${bands.heights}`);
          assertEquals(gpu.memory.reservedPeak - before, bytes, `${bands.heights}`);
        }
      });
    }
  }
}

for (const kind of ["encode", "decode"] as const) {
  gpuTest(
    `${kind}: less memory means bands, then the host's, then an error with figures`,
    async (gpu) => {
      using whole = new Work(gpu, kind, 96, 64);
      const expected = await whole.read();
      const paths: string[] = [];
      for (let memoryBytes = 2 ** 22; paths.at(-1) !== "none"; memoryBytes *= 0.7) {
        using small = await Gpu.create({ memoryBytes });
        using work = new Work(small, kind, 96, 64);
        paths.push(await runPlanned(small, work, expected));
        if (paths.at(-1) !== "none") assert(small.memory.reservedPeak <= memoryBytes);
      }
      const inOrder = paths.filter((path, i) => path !== paths[i - 1]);
      assertEquals(inOrder, ["whole", "bands", "host", "none"]);
    },
  );
}

/** Runs what is planned, compares it with what is expected, and returns the path; "none" without one. */
async function runPlanned(gpu: Gpu, work: Work, expected: Float32Array): Promise<string> {
  const whole = planWhole(gpu, gpu.measure(() => void work.whole()));
  if (whole) {
    assertSame(await work.read(), expected);
    return whole.path;
  }
  try {
    const { path, stages, bands } = planInBands(gpu, (parts) => work.stages(parts), () => {});
    const found = await runInBands(gpu, stages, bands, work.values);
    if (stages.keyParts === 1) assertSame(found, expected, path);
    return path;
  } catch (error) {
    assert(error instanceof OutOfMemoryError, String(error));
    const figures =
      /^it needs (\d+) KiB .* even in bands, (\d+) KiB .*, and (\d+) KiB may be taken$/;
    const [needed, used, most] = figures.exec(error.message)!.slice(1).map(Number);
    assert(used < needed && needed > most, error.message);
    return "none";
  }
}

gpuTest(
  "less memory than the weights take is told with figures, not as a binding's limit",
  async () => {
    using gpu = await Gpu.create({ memoryBytes: 2 ** 20 });
    using work = new Work(gpu, "encode", 8, 4);
    using _much = zeros(gpu, [2 ** 18]);
    const plan = () => planInBands(gpu, (parts) => work.stages(parts), () => {});
    assertThrows(plan, OutOfMemoryError, "and 1024 KiB may be taken");
  },
);

for (const kind of ["encode", "decode"] as const) {
  gpuTest(`${kind}: what exceeds a binding runs in bands without being told to`, async (gpu) => {
    using whole = new Work(gpu, kind, 200, 20);
    const expected = await whole.read();
    using small = await Gpu.create({ limits: { maxStorageBufferBindingSize: 2 ** 16 } });
    using work = new Work(small, kind, 200, 20);
    assertEquals(planWhole(small, small.measure(() => void work.whole())), undefined);
    const { path, stages, bands } = planInBands(small, () => work.stages(), () => {});
    assertEquals(path, "bands");
    assertSame(await runInBands(small, stages, bands, work.values), expected);
  });

  gpuTest(`${kind}: an attention whose keys come in parts differs by rounding`, async (gpu) => {
    using work = new Work(gpu, kind, 52, 36);
    const stages = work.stages(4);
    const { bands } = highestBands(gpu, stages, false, Infinity);
    assert(stages.all.length > work.stages().all.length);
    const found = await flat(gpu, () => runInBands(gpu, stages, bands, work.values));
    assertClose(found, await work.read(), { relative: 1e-5 });
  });
}

gpuTest("adapters take part in bands", async (gpu) => {
  using work = new Work(gpu, "decode", 52, 36);
  const before = await work.read();
  const lora = injectLora(work.vae.convs, { rank: 3, targets: ["conv1", "upsample"] });
  using parameters = lora.parameters;
  for (const { tensor } of parameters) {
    tensor.write(toF32(new Values(tensor.size).normal([tensor.size], 0, 0.1)));
  }
  const stages = work.stages();
  const { bands } = highestBands(gpu, stages, false, 400_000);
  assert(Math.min(...bands.heights) < 13);
  const found = await runInBands(gpu, stages, bands, work.values);
  assertSame(found, await work.read());
  assertNotEquals(found, before);
});

gpuTest("keys come in parts where all of them would exceed a binding", async () => {
  using gpu = await Gpu.create({ limits: { maxStorageBufferBindingSize: 40 * 2 ** 10 } });
  using work = new Work(gpu, "encode", 680, 16); // 680 keys of 16 channels
  const { stages } = planInBands(gpu, (parts) => work.stages(parts), () => {});
  assertEquals(stages.keyParts, 4);
  const one = () => planInBands(gpu, () => work.stages(), () => {});
  assertThrows(one, OutOfMemoryError, "parts of it exceed the 40 KiB that the adapter binds");
});
