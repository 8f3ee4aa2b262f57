/** The work of `coda demo`. */
import { join } from "@std/path";
import { loadVae, makeFolder, writeFileAtomic } from "../../../checkpoint/mod.ts";
import { saveImage } from "../../../data/mod.ts";
import { Gpu } from "../../../gpu/mod.ts";
import { Tokenizer } from "../../../tokenizer.ts";
import { writeTokens } from "../../../tokens/mod.ts";
import { formatDuration } from "../../format.ts";
import { stopOnInterrupt } from "../../interrupt.ts";
import { RunDisplay } from "../run_display.ts";
import { creditsText, packagePhotos } from "./photos.ts";
import { picture } from "./picture.ts";
import { type Photographs, prepare } from "./prepare.ts";
import { continuous, reconstruct } from "./reconstruct.ts";
import { nextText, resultText, type Row, rowPanels, titlesOf } from "./report.ts";
import { trainFor } from "./training.ts";

/** What is to be shown. */
export interface DemoRequest {
  /** A folder of photographs; without one they are fetched. */
  readonly photos: string | undefined;
  /** The folder for everything that the demo makes. */
  readonly out: string;
  /** How long it trains. */
  readonly seconds: number;
  /** Decides which photographs are held out, and the training. */
  readonly seed: number;
  /** Whether nothing but problems is shown. */
  readonly quiet: boolean;
}

/** What the parts of the demo share. */
interface Stage extends DemoRequest {
  readonly gpu: Gpu;
  readonly signal: AbortSignal;
  /** A folder that is gone when the demo ends. */
  readonly temporary: string;
  readonly say: (text: string) => void;
}

/** Adapts, encodes, decodes, draws; returns the exit code. */
export async function runDemo(request: DemoRequest): Promise<number> {
  const start = performance.now();
  const say = request.quiet ? () => {} : (text: string) => console.log(text);
  await makeFolder(request.out);
  using gpu = await Gpu.create();
  using stop = stopOnInterrupt();
  const temporary = await Deno.makeTempDir({ prefix: "coda-demo-" });
  try {
    const isDone = await perform({ ...request, gpu, signal: stop.signal, temporary, say });
    if (isDone) say(`\nIt took ${formatDuration((performance.now() - start) / 1000)}.`);
    return isDone ? 0 : 130;
  } finally {
    await Deno.remove(temporary, { recursive: true });
  }
}

/** False where it was stopped. */
async function perform(stage: Stage): Promise<boolean> {
  const { gpu, out, signal, say } = stage;
  // Before the training, so that a model that cannot be read costs nothing.
  using vae = await loadVae(gpu);
  using builtIn = await Tokenizer.load(undefined, { gpu });
  const folder = stage.photos ?? await packagePhotos(say);
  const tiles = join(stage.temporary, "tiles");
  await Deno.mkdir(tiles);
  const photographs = await prepare(folder, {
    tilesFolder: tiles,
    seed: stage.seed,
    onSkip: (error) => console.error(`coda: ${error.message}; it is left out`),
    signal,
  });
  if (signal.aborted) return false;
  const run = await train(stage, photographs, tiles);
  if (run === undefined) return false;
  await copyTokenizer(run, join(out, "tokenizer"));
  say("\nNow the photographs that it never saw, through the VAE, the tokenizer and back.");
  using tokenizer = await Tokenizer.load(run, { gpu });
  const rows: Row[] = [];
  for (const original of photographs.heldOut) {
    if (signal.aborted) return false;
    rows.push({
      original,
      continuous: await continuous(vae, original),
      demo: await reconstruct(tokenizer, original, { prefixes: true }),
      builtIn: await reconstruct(builtIn, original, { prefixes: false }),
    });
  }
  await write(stage, rows);
  say(`\n${resultText(rows)}\n\n${nextText(out, rows)}`);
  return true;
}

/** Trains, and says what and for how long. */
async function train(
  stage: Stage,
  { heldOut, trained, tiles }: Photographs,
  images: string,
): Promise<string | undefined> {
  const { gpu, seconds, seed, signal, temporary: folder, quiet, say } = stage;
  using display = new RunDisplay({ json: false, quiet });
  say(`${trained} photographs to train on, cut into ${tiles} tiles; ${heldOut.length} held out.`);
  say(`Adapting the built-in continuous VAE to tokens for about ${formatDuration(seconds)}:`);
  return await trainFor(gpu, {
    images,
    count: tiles,
    folder,
    seconds,
    seed,
    onPlan: (warmupSteps, steps) =>
      say(
        `${warmupSteps} steps of the quantizer alone, then ${steps} together with the VAE's LoRA.`,
      ),
    hooks: display.hooks,
    stop: signal,
  });
}

/** Keeps of a run what encode and decode need. */
async function copyTokenizer(run: string, folder: string): Promise<void> {
  await makeFolder(folder);
  for (const file of ["config.json", "model.safetensors"]) {
    await writeFileAtomic(join(folder, file), await Deno.readFile(join(run, file)));
  }
}

async function write({ out, photos }: Stage, rows: readonly Row[]): Promise<void> {
  for (const { original, demo } of rows) {
    await writeTokens(join(out, `${original.name}.coda`), demo.tokens);
  }
  await saveImage(join(out, "demo.png"), picture(titlesOf(rows), rows.map(rowPanels)));
  if (photos === undefined) {
    await writeFileAtomic(
      join(out, "CREDITS.md"),
      creditsText(rows.map(({ original }) => original.name)),
    );
  }
}
