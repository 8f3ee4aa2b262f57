/**
 * The joint step of bench/train_step_bench.ts here and in a checkout of another commit, taking turns:
 * `git worktree add ../before COMMIT`, then `deno run -A bench/step_pair.ts ../before`. Prints JSON:
 * the commits, the seconds of each step after the first, which compiles, and the losses of all, with how
 * many tokens the two chose differently. Where that is none, only rounding parts the losses.
 *
 * @module
 */
import { fromFileUrl, resolve } from "@std/path";
import { median } from "./median.ts";

const STEPS = 10;
const BATCH = 4;
const CROP = 128;

/** One step: how long it took, its losses by name, and the codes that it chose. */
interface Step {
  seconds: number;
  losses: Record<string, number>;
  tokens: number[];
}

/**
 * Makes ready what bench/train_step_bench.ts measures, out of the modules of a checkout; a call of the
 * result is a step. The modules are typed there, so that nothing here holds a commit to these types.
 */
async function stepsOf(folder: string): Promise<() => Promise<Step>> {
  const from = (path: string) => import(`file://${folder}/${path}`);
  const { loadVae } = await from("src/checkpoint/mod.ts");
  const { injectLora } = await from("src/nn/mod.ts");
  const { CodaQuantizer, PATCH_SIZES_F8 } = await from("src/quantizer/mod.ts");
  const { Random } = await from("src/tensor/mod.ts");
  const { Adaptation, defaultRecipe } = await from("src/train/mod.ts");
  const { benchGpu, noise } = await from("bench/support.ts");
  const gpu = await benchGpu();
  const vae = await loadVae(gpu, `${folder}/models/tiny-kl-f8`);
  const targets = ["conv1", "conv2", "upsample", "downsample"];
  const lora = injectLora(vae.convs, { rank: 32, targets });
  lora.parameters.initialize(new Random(1));
  const quantizer = new CodaQuantizer(gpu, {
    codebookSize: 1024,
    channels: vae.config.latentChannels,
    attentionDim: 32,
    patchSizes: PATCH_SIZES_F8,
    norm: "rms",
    beta: 0.05,
  });
  quantizer.parameters.initialize(new Random(2));
  const recipe = { ...defaultRecipe(100), warmupSteps: 0 };
  const adaptation = new Adaptation({ vae, lora, quantizer }, recipe);
  const images = noise(gpu, [BATCH, CROP, CROP, 3]);
  return async () => {
    const start = performance.now();
    const result = adaptation.jointStep(images);
    await gpu.sync();
    const seconds = (performance.now() - start) / 1000;
    const { numbers, indices } = await result.read();
    result[Symbol.dispose]();
    const tokens = indices.flatMap((scale: Uint32Array) => [...scale]);
    return { seconds, losses: numbers, tokens };
  };
}

/** The process of one checkout: it takes a step for each line that it is sent, and answers in JSON. */
async function serve(folder: string): Promise<void> {
  const step = await stepsOf(folder);
  for await (const _line of Deno.stdin.readable) console.log(JSON.stringify(await step()));
}

/** A checkout in a process of its own, with its own map of imports. */
class Checkout {
  readonly folder: string;
  readonly steps: Step[] = [];
  #writer: WritableStreamDefaultWriter<Uint8Array>;
  #reader: ReadableStreamDefaultReader<string>;

  constructor(folder: string) {
    this.folder = resolve(folder);
    const script = fromFileUrl(import.meta.url);
    const flags = ["-A", "--no-lock", "--quiet", "--config", `${this.folder}/deno.json`];
    const process = new Deno.Command(Deno.execPath(), {
      args: ["run", ...flags, script, "--serve", this.folder],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    this.#writer = process.stdin.getWriter();
    this.#reader = process.stdout.pipeThrough(new TextDecoderStream()).getReader();
  }

  async step(): Promise<void> {
    await this.#writer.write(Uint8Array.of(10));
    let line = "";
    while (!line.endsWith("\n")) {
      const { value } = await this.#reader.read();
      if (value === undefined) throw new Error(`${this.folder}: the steps stopped`);
      line += value;
    }
    this.steps.push(JSON.parse(line));
  }

  close(): Promise<void> {
    return this.#writer.close();
  }

  async report() {
    const [, ...warm] = this.steps;
    return {
      commit: await commitOf(this.folder),
      median: median(warm.map(({ seconds }) => seconds)),
      seconds: warm.map(({ seconds }) => seconds),
      losses: this.steps.map(({ losses }) => losses),
    };
  }
}

async function commitOf(cwd: string): Promise<string> {
  const args = ["rev-parse", "--short", "HEAD"];
  const { stdout } = await new Deno.Command("git", { args, cwd }).output();
  return new TextDecoder().decode(stdout).trim();
}

async function main([before]: string[]): Promise<void> {
  if (before === undefined) throw new Error("name the folder of the other checkout");
  const pair = [before, fromFileUrl(new URL("..", import.meta.url))].map((folder) =>
    new Checkout(folder)
  );
  for (let step = 0; step < STEPS; step++) {
    for (const checkout of pair) await checkout.step();
  }
  await Promise.all(pair.map((checkout) => checkout.close()));
  const [first, second] = await Promise.all(pair.map((checkout) => checkout.report()));
  const faster = first.median / second.median;
  const otherTokens = pair[0].steps.map(({ tokens }, step) =>
    tokens.filter((token, i) => token !== pair[1].steps[step].tokens[i]).length
  );
  console.log(JSON.stringify({ before: first, after: second, faster, otherTokens }, null, 2));
}

if (import.meta.main) {
  const [flag, folder] = Deno.args;
  await (flag === "--serve" ? serve(folder) : main(Deno.args));
}
