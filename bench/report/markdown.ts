import type { Peaks } from "./peaks.ts";
import { rateOf, type Report, type RowResult, type Setting } from "./result.ts";

/** An adapter's name as a file name: "llvmpipe (LLVM 15.0.6)" is "llvmpipe-llvm-15-0-6". */
export function slugOf(adapter: string): string {
  const words = adapter.toLowerCase().match(/[a-z0-9]+/g);
  return words?.join("-") ?? "adapter";
}

/** The report as a Markdown document, a table for each group of rows. */
export function markdown({ setting, peaks, torch, rows }: Report): string {
  const facts = [
    ...factsOf(setting),
    ["PyTorch", "name" in torch ? torch.name : `not asked: ${torch.absent}`],
  ];
  const groups = [...new Set(rows.map(({ group }) => group))];
  const hasTorch = "name" in torch;
  return [
    `# ${setting.adapter}`,
    table(["", ""], facts),
    "## What the adapter can do",
    PEAKS,
    table(["", "measured"], peakFacts(peaks)),
    ...(setting.isCpu ? [byLoads(peaks)] : []),
    ROWS,
    ...groups.flatMap((group) => [
      `## ${group}`,
      rowTable(rows.filter((row) => row.group === group), peaks, hasTorch),
    ]),
  ].join("\n\n") + "\n";
}

/** Where and how figures were taken, as rows of a table. */
export function factsOf(setting: Setting): string[][] {
  const { adapter, driver, machine, deno, commit, command, date } = setting;
  return [
    ["machine", machine],
    ["adapter", adapter],
    ["driver", driver ?? "not told"],
    ["Deno", deno],
    ["commit", commit ?? "not told"],
    ["command", `\`${command}\``],
    ["date", date],
  ];
}

const PEAKS = `Kernels that do nothing else: chains of multiply-adds in registers, a copy of much
memory, loads from 16 KiB. The fastest of several ways of writing each, before the rows and after them.`;

const ROWS = `Times are medians, in milliseconds per call. "GPU" is the sum of the timestamps of all
dispatches, "wall" many calls and one wait by the clock; the rate is that of the GPU's time, of whole
work that of the clock's. Operations are counted as the plain algorithm does them, a multiply-add being
two; bytes as every operand read once and every result written once. "Of the peak" is beside the float32
multiply-adds or the copy above.`;

/** Operations of a step of k in a tile of 16 by 16, and its loads of four floats, 16 rows and 16 columns. */
const STEP = { flop: 2 * 16 * 16, loads: 2 * 16 / 4 };

/** What products reach on a CPU adapter at most. */
function byLoads({ loads }: Peaks): string {
  const most = rateText(loads / STEP.loads * STEP.flop, "FLOP/s");
  return `On a CPU adapter loads are slow, not multiply-adds: a product in tiles of 16 by 16 has
${STEP.loads} loads for ${STEP.flop} operations, which allows ${most}. That is the limit to hold its rate against.`;
}

function peakFacts({ float32, float16, copy, loads }: Peaks): string[][] {
  return [
    ["float32 multiply-adds", rateText(float32, "FLOP/s")],
    ["float16 multiply-adds", float16 === null ? "no f16" : rateText(float16, "FLOP/s")],
    ["copy, read and written", rateText(copy, "B/s")],
    ["loads of four floats", rateText(loads, "/s")],
  ];
}

function rowTable(rows: readonly RowResult[], peaks: Peaks, hasTorch: boolean): string {
  const wanted = hasTorch && rows.some(({ torch }) => torch);
  const hasBfloat = rows.some(({ torch }) => torch && "bfloat16" in torch);
  const heads = ["", "GPU", "wall", "rate", "of the peak"];
  if (wanted) heads.push("PyTorch float32", ...(hasBfloat ? ["bfloat16"] : []), "ours beside it");
  return table(
    heads,
    rows.map((row) => {
      const rate = rateOf(row, peaks);
      const cells = [
        row.name,
        row.gpu === null ? "–" : milliseconds(row.gpu),
        milliseconds(row.wall),
        rate ? rateText(rate.perSecond, rate.unit) : "–",
        rate ? percent(rate.share) : "–",
      ];
      return wanted ? [...cells, ...torchCells(row, hasBfloat)] : cells;
    }),
  );
}

function torchCells(row: RowResult, hasBfloat: boolean): string[] {
  const { torch } = row;
  const missing = torch ? "failed" : "–";
  if (!torch || "error" in torch) return [missing, ...(hasBfloat ? [missing] : []), "–"];
  const { float32, bfloat16 } = torch;
  return [
    milliseconds(float32),
    ...(hasBfloat ? [bfloat16 === undefined ? "–" : milliseconds(bfloat16)] : []),
    `${digits(float32 / row.wall)} ×`, // the clock for both: timestamps leave out what is between dispatches
  ];
}

/** A table in Markdown, its columns as wide as what they hold: as deno fmt has them. */
export function table(heads: readonly string[], body: readonly (readonly string[])[]): string {
  const rows = body.map((row) => row.map((cell) => cell.replaceAll("|", "\\|")));
  const all = [heads, ...rows];
  const widths = heads.map((_, i) => Math.max(3, ...all.map((row) => [...row[i]].length)));
  const line = (row: readonly string[]) =>
    `| ${row.map((cell, i) => cell + " ".repeat(widths[i] - [...cell].length)).join(" | ")} |`;
  const rule = `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`;
  return [line(heads), rule, ...rows.map(line)].join("\n");
}

function milliseconds(seconds: number): string {
  return digits(1000 * seconds);
}

function percent(share: number): string {
  return `${digits(100 * share, 2)} %`;
}

const UNITS = [["T", 1e12], ["G", 1e9], ["M", 1e6]] as const;

function rateText(perSecond: number, unit: string): string {
  const [prefix, scale] = UNITS.find(([, scale]) => perSecond >= scale) ?? UNITS[2];
  return `${digits(perSecond / scale)} ${prefix}${unit}`;
}

/** A number to so many digits that count, never in powers of ten. */
function digits(value: number, count = 3): string {
  return value.toLocaleString("en", { maximumSignificantDigits: count });
}
