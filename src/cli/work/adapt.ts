/** The work of `coda adapt`, `coda train-vqgan` and `coda train-vae`. */
import { join } from "@std/path";
import { Gpu } from "../../gpu/mod.ts";
import {
  adapt,
  type AdaptResult,
  type Evaluation,
  OptionError,
  resumeAdapt,
} from "../../train/mod.ts";
import { UsageError } from "../errors.ts";
import { formatCount, formatDuration } from "../format.ts";
import { stopOnInterrupt } from "../interrupt.ts";
import { type Given, settleOptions } from "./adapt_options.ts";
import { pullFirst } from "./pull.ts";
import { RunDisplay, type Show } from "./run_display.ts";

/** Steps of a run that is not told how many. */
const DEFAULT_STEPS = 1000;

/** What is to be run. */
export interface TrainingRequest {
  /** What was typed after `coda`. */
  readonly command: string;
  /** The run's folder. */
  readonly out: string;
  /** Whether it is continued. */
  readonly resume: boolean;
  /** The options; what is undefined is the default, or when resuming what the run began with. */
  readonly given: Omit<Given, "memory">;
  /** Bytes of GPU memory to stay within, where there is a limit. */
  readonly memory: number | undefined;
  /** How it is shown. */
  readonly show: Show;
}

/** Trains until the end or Ctrl-C, and returns the exit code. */
export async function runTraining(request: TrainingRequest): Promise<number> {
  const { command, out, resume, given, memory, show } = request;
  const start = performance.now();
  const { options, usageError } = await settleOptions({ ...given, memory });
  if (!resume && !options.images?.length) {
    throw new UsageError(`${command} needs at least one IMAGE|FOLDER`);
  }
  const { vae, from, vgg, lpips, dino } = options;
  for (const model of [vae, from, vgg, lpips, dino]) await pullFirst(model, show);
  using gpu = await Gpu.create({ memoryBytes: memory });
  using stop = stopOnInterrupt();
  using display = new RunDisplay(show);
  stop.signal.addEventListener("abort", () => display.stopping());
  const hooks = { ...display.hooks, signal: stop.signal };
  const run = resume
    ? resumeAdapt(gpu, out, options, hooks)
    : adapt(gpu, out, { images: [], ...options, steps: options.steps ?? DEFAULT_STEPS }, hooks);
  const result = await run.catch((error) => {
    throw error instanceof OptionError ? usageError(error) : error;
  });
  display[Symbol.dispose]();
  const seconds = (performance.now() - start) / 1000;
  if (result.stopped) {
    console.error(stoppedText(request, result));
    return 130;
  }
  if (!show.json && !show.quiet) console.log(doneText(request, result, seconds));
  return 0;
}

function stoppedText({ command, out }: TrainingRequest, { step, total }: AdaptResult): string {
  const where = step === 0
    ? "stopped before the first step; begin"
    : `stopped after step ${step} of ${total} and saved; continue`;
  return `coda: ${where} with: coda ${command} --out ${out} --resume`;
}

/** What came of a run: how long it took, what it saw, how good it is, and where to look. */
function doneText(
  { command, out }: TrainingRequest,
  { total, images, skipped, best }: AdaptResult,
  seconds: number,
): string {
  const without = skipped > 0 ? `, ${skipped} files left out` : "";
  const use = command === "train-vae"
    ? `adapt it with: coda adapt IMAGE --vae ${out} --out DIR`
    : `use it with: coda encode IMAGE --model ${out}`;
  return [
    `${total} steps, ${formatDuration(seconds)}, ${
      formatCount(images)
    } images seen${without}; ${use}`,
    ...best ? [bestText(out, best)] : [],
    `to look at: ${join(out, "samples")}; tensorboard --logdir ${out}`,
  ].join("\n");
}

function bestText(out: string, { psnr, protocol, images, step }: Evaluation): string {
  return `best ${psnr.toFixed(2)} dB (${protocol}, ${images} held-out images) ` +
    `after step ${step}: ${join(out, "best")}`;
}
