import { loadTokenizer } from "../src/checkpoint/mod.ts";
import { reconstructionLosses } from "../src/losses/mod.ts";
import { injectLora } from "../src/nn/mod.ts";
import { add } from "../src/ops/mod.ts";
import { gradients, Random, type ReplayedWork, Replays, type Tensor } from "../src/tensor/mod.ts";
import { clipCoefficient } from "../src/train/mod.ts";
import { TrainedSet } from "../src/train/trained_set.ts";
import { benchGpu, noise } from "./support.ts";

/*
 * What the host does for work on the GPU: anew, and replayed. Submits are put off until the clock has
 * stopped, since on a CPU adapter a submit takes as long as the work. The time of a dispatch is the
 * printed time divided by the number in the name.
 */

const gpu = await benchGpu();

/** Runs work of the host; what it sends to the queue is sent when the function that is returned is called. */
function withoutQueue(work: () => void): () => void {
  const { submit, writeBuffer } = GPUQueue.prototype;
  const later: (() => void)[] = [];
  GPUQueue.prototype.submit = function (commands) {
    later.push(() => submit.call(this, commands));
  };
  GPUQueue.prototype.writeBuffer = function (buffer, at, data, from = 0, size) {
    const bytes = ArrayBuffer.isView(data)
      ? new Uint8Array(data.buffer, data.byteOffset + from, size).slice()
      : new Uint8Array(data, from, size).slice();
    later.push(() => writeBuffer.call(this, buffer, at, bytes));
  };
  try {
    work();
    gpu.submit();
  } finally {
    Object.assign(GPUQueue.prototype, { submit, writeBuffer });
  }
  return () => later.forEach((send) => send());
}

/** How many dispatches work has. */
function dispatchesOf(work: () => void): number {
  const { dispatchWorkgroups } = GPUComputePassEncoder.prototype;
  let count = 0;
  GPUComputePassEncoder.prototype.dispatchWorkgroups = function (x, y, z) {
    count++;
    dispatchWorkgroups.call(this, x, y, z);
  };
  try {
    work();
  } finally {
    GPUComputePassEncoder.prototype.dispatchWorkgroups = dispatchWorkgroups;
  }
  return count;
}

/** Dispatches that take long enough to be timed. */
const ENOUGH = 1500;

/** Benches work anew and replayed. */
function hostBench(name: string, input: Tensor, work: ReplayedWork): void {
  const replays = new Replays(gpu);
  const runs = {
    anew: () => void work([input]),
    replayed: () => void replays.run(name, [input], work),
  };
  let calls = 1;
  const run = (kind: keyof typeof runs) => {
    for (let call = 0; call < calls; call++) {
      using _scope = gpu.scope();
      runs[kind]();
    }
  };
  run("replayed"); // is recorded
  calls = Math.ceil(ENOUGH / dispatchesOf(() => run("replayed")));
  const count = dispatchesOf(() => run("replayed"));
  for (const kind of ["anew", "replayed"] as const) {
    Deno.bench({
      name: `${calls} × ${name}, ${kind}: ${count} dispatches`,
      group: name,
      baseline: kind === "anew",
      n: 20,
      warmup: 3,
      fn: async (timer) => {
        await gpu.sync();
        timer.start();
        const send = withoutQueue(() => run(kind));
        timer.end();
        send();
        await gpu.sync();
      },
    });
  }
}

// Sizes matter little to the host, and would to the time of the bench.
const { vae, quantizer } = await loadTokenizer(gpu);
const image = noise(gpu, [1, 64, 64, 3]);
const encode = ([image]: readonly Tensor[]) =>
  quantizer.encode(vae.scaleLatent(vae.encode(image).mean));
hostBench("encode 64²", image, encode);

hostBench("encode and decode 64²", image, ([image]) => {
  const fHat = quantizer.decode(encode([image]), { height: 8, width: 8 });
  return [vae.decode(vae.unscaleLatent(fHat))];
});

const lora = injectLora(vae.convs, {
  rank: 32,
  targets: ["conv1", "conv2", "upsample", "downsample"],
});
lora.parameters.initialize(new Random(1));
const sets = [quantizer.parameters, lora.parameters].map((parameters) =>
  new TrainedSet("bench", parameters, {})
);
hostBench("joint step 64²", image, ([image]) => {
  const latent = vae.scaleLatent(vae.encode(image).mean);
  const { fHat, vqLoss, entropyLoss } = quantizer.forward(latent);
  const { l1, l2 } = reconstructionLosses(vae.decode(vae.unscaleLatent(fHat)), image);
  const loss = [l1, l2, entropyLoss!].reduce((sum, next) => add(sum, next), vqLoss);
  const found = gradients(loss, sets.flatMap(({ tensors }) => tensors));
  const { coefficient } = clipCoefficient(found, 10);
  for (const set of sets) set.apply(found.splice(0, set.tensors.length), coefficient);
  return [loss];
});
