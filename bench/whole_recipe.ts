/**
 * A run with every loss on, killed at random steps and resumed, beside one that is left alone:
 * `deno run -A bench/whole_recipe.ts photos --steps 300`. Prints seconds a step, the memory of the process
 * along the way, and whether both runs end with the same bytes; the exit code is 1 where they do not.
 *
 * VGG16 and DINO's ViT-S/16 have their full size and random weights, which cost the time that trained ones
 * do; `--vit-size 112` shows the transformer a quarter of the pixels, and `--narrow` makes both networks
 * narrower, for a CPU. `--out` keeps the runs; `--kills` says how often; `--seed` draws the steps.
 *
 * @module
 */
import { join } from "@std/path";
import { writeSafetensors } from "../src/checkpoint/mod.ts";
import { booleanFlag, numberFlag, parseFlags, stringFlag } from "../src/cli/flags.ts";
import { Gpu } from "../src/gpu/mod.ts";
import { DINO_SMALL_16, DinoVit, Lpips, VGG16_CHANNELS } from "../src/losses/mod.ts";
import type { Parameters } from "../src/nn/mod.ts";
import { Random } from "../src/tensor/mod.ts";
import { Checkpoints } from "../src/train/checkpoints.ts";

const MAIN = new URL("../src/cli/main.ts", import.meta.url).pathname;

const { flags, args } = parseFlags({
  steps: numberFlag("steps of the run", { integer: true, min: 1 }),
  size: numberFlag("side of the crops", { integer: true, min: 16 }),
  batch: numberFlag("images in a step", { integer: true, min: 1 }),
  codebookSize: numberFlag("codes", { integer: true, min: 1 }),
  vitSize: numberFlag("side of what the discriminator sees", { integer: true, min: 16 }),
  narrow: booleanFlag("a quarter of VGG16's channels; of the ViT a third, and four blocks"),
  kills: numberFlag("how often the second run is killed", { integer: true, min: 0 }),
  seed: numberFlag("draws the steps where it is killed", { integer: true, min: 0 }),
  out: stringFlag("folder for both runs"),
}, Deno.args);
const { steps = 300, size = 64, batch = 1, codebookSize = 1024, kills = 3, seed = 0 } = flags;
const { vitSize = DINO_SMALL_16.imageSize } = flags;
const out = flags.out ?? await Deno.makeTempDir();
await Deno.mkdir(out, { recursive: true });
const critics = await writeCritics();

await train("whole");
const random = new Random(seed);
const at = Array.from({ length: kills }, () => 1 + random.integer(steps - 1)).sort((a, b) => a - b);
for (const step of at) await train("killed", step);
await train("killed");

const same = await equal();
console.log(
  `killed at steps ${at.join(", ")} and resumed: ${same ? "the same bytes" : "OTHER BYTES"}`,
);
if (!same) Deno.exit(1);

/** Networks of random weights, as the flags that name their files. */
async function writeCritics(): Promise<string[]> {
  using gpu = await Gpu.create();
  const narrowVit = { width: 128, heads: 2, depth: 4, readouts: [0, 1, 2, 3] };
  using lpips = new Lpips(gpu, VGG16_CHANNELS.map((count) => flags.narrow ? count / 4 : count));
  using vit = new DinoVit(gpu, {
    ...DINO_SMALL_16,
    ...flags.narrow && narrowVit,
    imageSize: vitSize,
  });
  lpips.vgg.parameters.initialize(new Random(1));
  vit.parameters.initialize(new Random(2));
  for (const { name, tensor } of lpips.parameters) {
    lpips.parameters.set(name, new Float32Array(tensor.size).fill(1 / tensor.size));
  }
  const sets: [flag: string, parameters: Parameters][] = [
    ["vgg", lpips.vgg.parameters],
    ["lpips", lpips.parameters],
    ["dino", vit.parameters],
  ];
  const files = sets.map(async ([flag, parameters]) => {
    const path = join(out, `${flag}.safetensors`);
    await writeSafetensors(path, await parameters.weights());
    return [`--${flag}`, path];
  });
  return (await Promise.all(files)).flat();
}

/** Trains to the end, or until it is killed after a step; a run that is there already is resumed. */
async function train(name: string, killAfter = Infinity): Promise<void> {
  const folder = join(out, name);
  const isThere = await Deno.stat(join(folder, "config.json")).then(() => true, () => false);
  const sizes = { steps, size, batch, codebookSize };
  const begin = [
    ...args,
    ...critics,
    ...Object.entries(sizes).flatMap(([flag, value]) => [`--${dashed(flag)}`, `${value}`]),
    ...["--log-every", "1", "--save-every", `${Math.max(1, Math.floor(steps / 10))}`],
    ...["--sample-every", "0"],
  ];
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      MAIN,
      "adapt",
      "--json",
      "--out",
      folder,
      ...isThere ? ["--resume"] : begin,
    ],
    stdout: "piped",
  }).spawn();
  const times: number[] = [];
  let step = 0;
  for await (const line of linesOf(child.stdout)) {
    ({ step } = JSON.parse(line));
    times.push(performance.now());
    if (step % Math.max(1, Math.floor(steps / 6)) === 0) {
      console.log(`${name}: step ${step}, ${await memoryOf(child.pid)} MB`);
    }
    if (step >= killAfter) child.kill("SIGKILL");
  }
  const { success } = await child.status;
  if (killAfter < steps) return console.log(`${name}: killed after step ${step}`);
  if (!success) throw new Error(`${name}: the run failed`);
  const seconds = (times.at(-1)! - times[0]) / 1000 / Math.max(1, times.length - 1);
  console.log(`${name}: ${steps} steps of ${batch} × ${size}², ${seconds.toFixed(2)} s a step`);
}

async function* linesOf(stream: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<string> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    yield* lines;
  }
}

/** What a process has in memory, the CPU adapter's buffers with it; unknown elsewhere than on Linux. */
async function memoryOf(pid: number): Promise<string> {
  const status = await Deno.readTextFile(`/proc/${pid}/status`).catch(() => "");
  const kilobytes = /^VmRSS:\s+(\d+)/m.exec(status)?.[1];
  return kilobytes ? (Number(kilobytes) / 1000).toFixed(0) : "?";
}

/** Whether both runs' last checkpoints have the same bytes. */
async function equal(): Promise<boolean> {
  for (const file of ["model.safetensors", "training.safetensors"]) {
    const [whole, killed] = await Promise.all(
      ["whole", "killed"].map((name) =>
        Deno.readFile(new Checkpoints(join(out, name, "checkpoints")).file(steps, file))
      ),
    );
    if (whole.length !== killed.length || whole.some((byte, i) => byte !== killed[i])) return false;
  }
  return true;
}

function dashed(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
