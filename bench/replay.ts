/**
 * What the host does for a dispatch, replayed and anew: `deno run -A bench/replay.ts`. Prints Markdown,
 * which bench/results/replay.md keeps. Times are of the thread that dispatches, by a processor's clock,
 * to the last submit. By the clock on the wall the work of a CPU adapter would be in them. Beside them
 * is what the calls of WebGPU take alone, in turns with the work that made them.
 *
 * @module
 */
import { loadTokenizer } from "../src/checkpoint/mod.ts";
import { injectLora } from "../src/nn/mod.ts";
import { CodaQuantizer, PATCH_SIZES_F8 } from "../src/quantizer/mod.ts";
import { Random, Replays, type Tensor } from "../src/tensor/mod.ts";
import { Adaptation, defaultRecipe } from "../src/train/mod.ts";
import { bareCalls } from "./bare_calls.ts";
import { median } from "./median.ts";
import { factsOf, table } from "./report/markdown.ts";
import { settingOf } from "./report/setting.ts";
import { benchGpu, noise } from "./support.ts";
import { threadClock } from "./thread_clock.ts";

const ROUNDS = 15;
const SIZE = 256;
const CROP = 64; // it matters little to the host, and would to the time of this

/** One call of some work. */
type Call = () => void;

/** Seconds of the host for some calls. */
interface Times {
  /** All of it. */
  whole: number;
  /** What goes by in {@link Replays} and in sending: without the inputs' making and what is told before. */
  commands: number;
  /** In `finish`. */
  finish: number;
  /** In `submit`. */
  submit: number;
}

const gpu = await benchGpu();
const now = threadClock();
const spent = { commands: 0, finish: 0, submit: 0 };
let isReplaying = false;

/** Adds the time of some work to what was spent on it. */
function spend<T>(on: keyof typeof spent, work: () => T): T {
  const start = now();
  const result = work();
  const time = now() - start;
  spent[on] += time;
  if (on !== "commands" && !isReplaying) spent.commands += time;
  return result;
}

/** From now on what is spent is added up. */
function watch(): void {
  const { finish } = GPUCommandEncoder.prototype;
  GPUCommandEncoder.prototype.finish = function (descriptor) {
    return spend("finish", () => finish.call(this, descriptor));
  };
  const { submit } = GPUQueue.prototype;
  GPUQueue.prototype.submit = function (commands) {
    spend("submit", () => submit.call(this, commands));
  };
  const { run } = Replays.prototype;
  Replays.prototype.run = function (name, inputs, work) {
    isReplaying = true;
    const outputs = spend("commands", () => run.call(this, name, inputs, work));
    isReplaying = false;
    return outputs;
  };
}

/** Times of some calls, between two waits for the GPU. */
async function measure(calls: Call): Promise<Times> {
  await gpu.sync();
  Object.assign(spent, { commands: 0, finish: 0, submit: 0 });
  const start = now();
  calls();
  const whole = now() - start;
  return { whole, ...spent };
}

/** How a row's calls are made. */
interface Way {
  readonly name: string;
  /** Between two waits for the GPU. */
  readonly calls: number;
  readonly isReplayed: boolean;
}

/** A row: medians per dispatch in microseconds, with the least of that which counts. */
async function row({ name, calls, isReplayed }: Way, call: Call): Promise<string[]> {
  const work = () => {
    for (let i = 0; i < calls; i++) call();
    gpu.submit();
  };
  gpu.submit(); // what was given before
  const { dispatches, again } = bareCalls(work);
  const rounds: Times[] = [];
  const bare: Times[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    rounds.push(await measure(work));
    bare.push(await measure(again));
  }
  const micro = (seconds: number) => (1e6 * seconds / dispatches).toFixed(2);
  const middle = (of: (times: Times) => number) => micro(median(rounds.map(of)));
  const commands = (times: Times) => isReplayed ? times.commands : times.whole;
  return [
    name,
    String(dispatches),
    middle(commands),
    micro(Math.min(...rounds.map(commands))),
    micro(median(bare.map(({ whole }) => whole))),
    micro(Math.min(...bare.map(({ whole }) => whole))),
    middle((times) => commands(times) - times.finish - times.submit),
    middle(({ finish }) => finish),
    middle(({ submit }) => submit),
    isReplayed ? middle(({ whole, commands }) => whole - commands) : "–",
  ];
}

/** Rows of work: replayed after a wait, replayed several times at once, and anew after a wait. */
async function rows(name: string, replayed: Call, anew: Call, calls: number): Promise<string[][]> {
  replayed(); // is recorded
  replayed(); // makes bind groups
  return [
    await row({ name: `${name}, replayed`, calls: 1, isReplayed: true }, replayed),
    await row({ name: `${calls} × the same at once`, calls, isReplayed: true }, replayed),
    await row({ name: `${name}, anew`, calls: 1, isReplayed: false }, anew),
  ];
}

/** Encodes with the embedded tokenizer, as {@link Replays} give it again for images of one size. */
async function encodeRows(): Promise<string[][]> {
  const { vae, quantizer } = await loadTokenizer(gpu);
  const image = noise(gpu, [1, SIZE, SIZE, 3]);
  const encode = ([image]: readonly Tensor[]) =>
    quantizer.encode(vae.scaleLatent(vae.encode(image).mean));
  using replays = new Replays(gpu);
  const scoped = (call: Call) => () => {
    using _scope = gpu.scope();
    call();
  };
  return await rows(
    `encode ${SIZE}²`,
    scoped(() => replays.run("encode", [image], encode)),
    scoped(() => encode([image])),
    4,
  );
}

/** Joint steps of an adaptation of the embedded tokenizer, with optimizers and averages. */
async function stepRows(): Promise<string[][]> {
  const { vae } = await loadTokenizer(gpu);
  const targets = ["conv1", "conv2", "upsample", "downsample"];
  const lora = injectLora(vae.convs, { rank: 32, targets });
  const quantizer = new CodaQuantizer(gpu, {
    codebookSize: 1024,
    channels: vae.config.latentChannels,
    attentionDim: 32,
    patchSizes: PATCH_SIZES_F8,
    norm: "rms",
    beta: 0.05,
  });
  for (const { parameters } of [lora, quantizer]) parameters.initialize(new Random(1));
  const recipe = { ...defaultRecipe(1000), warmupSteps: 0 };
  const adaptation = new Adaptation({ vae, lora, quantizer }, recipe);
  const images = noise(gpu, [1, CROP, CROP, 3]);
  const step = (isReplayed: boolean) => () => {
    adaptation.isReplayed = isReplayed;
    adaptation.jointStep(images)[Symbol.dispose]();
  };
  return await rows(`joint step, a crop of ${CROP}²`, step(true), step(false), 3);
}

watch();
const body = [...await encodeRows(), ...await stepRows()];
const heads = ["µs of the host per dispatch", "dispatches", "median", "least", "bare", "least"];
const [load] = Deno.loadavg();
const facts = factsOf(await settingOf("deno run -A bench/replay.ts"));
console.log([
  "# What the host does for a dispatch",
  table(["", ""], [...facts, ["load", `${load.toFixed(1)} processes over the last minute`]]),
  `Processor time of the thread that dispatches: medians of ${ROUNDS} rounds, with a wait for the GPU
between them. "Bare" are the same calls of WebGPU one after another, with nothing of this library
around them: no library goes below that with these commands. "Encode" is all that is neither finishing
command buffers nor submitting them. "Around" is beside the median: making a step's noise, and telling
the GPU its number and learning rate.`,
  table([...heads, "encode", "finish", "submit", "around"], body),
].join("\n\n"));
