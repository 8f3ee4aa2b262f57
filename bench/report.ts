/**
 * What every part of the library reaches on this machine's adapter, beside what the adapter can do and,
 * where it is installed, beside PyTorch: `deno task bench:report`. Writes bench/results/<adapter>.json
 * and the same as tables in <adapter>.md; both stay as they were unless the whole run succeeds.
 *
 * @module
 */
import { join } from "@std/path";
import { makeFolder, writeFileAtomic } from "../src/checkpoint/mod.ts";
import { UsageError } from "../src/cli/errors.ts";
import { booleanFlag, flagsHelp, parseFlags, stringFlag } from "../src/cli/flags.ts";
import { Gpu } from "../src/gpu/mod.ts";
import { Display } from "./report/display.ts";
import { markdown, slugOf } from "./report/markdown.ts";
import { modelRows } from "./report/models.ts";
import { operationRows } from "./report/operations.ts";
import { higherOf, measurePeaks } from "./report/peaks.ts";
import type { Report, RowResult } from "./report/result.ts";
import type { Row } from "./report/row.ts";
import { settingOf } from "./report/setting.ts";
import { type Budget, timed } from "./report/time.ts";
import { Torch } from "./report/torch.ts";
import { tunedGpu } from "./support.ts";

const FLAGS = {
  quick: booleanFlag("one short round a row"),
  only: stringFlag("the rows whose table or name matches; prints them and writes nothing", {
    value: "PATTERN",
  }),
  out: stringFlag("where to write", { value: "FOLDER", default: "bench/results" }),
  python: stringFlag("the Python that may have PyTorch", { value: "PATH", default: "python3" }),
  help: booleanFlag("show this help"),
};

const FULL: Budget = { round: 0.25, all: 1.5 };
const QUICK: Budget = { round: 0.05, all: 0.2 };

if (import.meta.main) {
  try {
    await main(Deno.args);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    console.error(`${error.message}; see deno task bench:report --help`);
    Deno.exit(2);
  }
}

async function main(args: string[]): Promise<void> {
  const { flags } = parseFlags(FLAGS, args);
  if (flags.help) return console.log(`deno task bench:report [flags]\n\n${flagsHelp(FLAGS)}`);
  const rows = wanted(flags.only ?? "");
  const command = ["deno task bench:report", ...args].join(" ");
  const budget = flags.quick ? QUICK : FULL;
  const report = await measured(rows, { command, budget, python: flags.python });
  if (flags.only === undefined) await save(report, flags.out);
  else console.log(markdown(report));
}

/** The rows that match a pattern. */
function wanted(only: string): Row[] {
  const pattern = new RegExp(only, "i");
  const rows = [...operationRows(), ...modelRows()]
    .filter(({ group, name }) => pattern.test(`${group}: ${name}`));
  if (rows.length === 0) throw new UsageError(`no row matches ${only}`);
  return rows;
}

/** How a report is made. */
interface Order {
  command: string;
  budget: Budget;
  python: string;
}

/** Runs every row, ours and PyTorch's taking turns. */
async function measured(
  rows: readonly Row[],
  { command, budget, python }: Order,
): Promise<Report> {
  using progress = new Display(rows.length);
  progress.show("the adapter");
  const setting = await settingOf(command);
  const before = await measurePeaks();
  const torch = await torchFor(python);
  const results: RowResult[] = [];
  for (const row of rows) {
    progress.show(`${row.group}: ${row.name}`);
    results.push(await resultOf(row, budget, typeof torch === "string" ? undefined : torch));
    progress.done();
  }
  const peaks = higherOf(before, await measurePeaks()); // a busy moment must not lower them
  if (typeof torch === "string") return { setting, peaks, torch: { absent: torch }, rows: results };
  await torch[Symbol.asyncDispose]();
  return { setting, peaks, torch: { name: torch.name }, rows: results };
}

/** PyTorch on the same kind of processor as the adapter, or why there is none. */
async function torchFor(python: string): Promise<Torch | string> {
  using gpu = await Gpu.create();
  const torch = await Torch.start(python);
  if (typeof torch === "string" || torch.isGpu !== gpu.isCpu) return torch;
  await torch[Symbol.asyncDispose]();
  return `${torch.name} is not what the adapter runs on`;
}

/** A device of its own for each row: what one leaves behind slows no other. */
async function resultOf(row: Row, budget: Budget, torch: Torch | undefined): Promise<RowResult> {
  const { group, name, isWhole = false, operation } = row;
  using gpu = await tunedGpu();
  const prepared = await row.prepare(gpu);
  const { flop, bytes } = prepared;
  const times = await timed(gpu, prepared, budget);
  const other = operation && torch ? { torch: await torch.time(operation) } : {};
  return { group, name, isWhole, flop, bytes, ...times, ...other };
}

async function save(report: Report, folder: string): Promise<void> {
  const name = join(folder, slugOf(report.setting.adapter));
  await makeFolder(folder);
  await writeFileAtomic(`${name}.json`, JSON.stringify(report, null, 2) + "\n");
  await writeFileAtomic(`${name}.md`, await formatted(markdown(report)));
  console.log(`${name}.md`);
}

/** As `deno fmt` has it. */
async function formatted(text: string): Promise<string> {
  const process = new Deno.Command(Deno.execPath(), {
    args: ["fmt", "--quiet", "--ext=md", "--line-width=100", "-"],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const output = process.output();
  const writer = process.stdin.getWriter();
  await writer.write(new TextEncoder().encode(text));
  await writer.close();
  return new TextDecoder().decode((await output).stdout);
}
