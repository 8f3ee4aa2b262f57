import { percent } from "../../src/evaluate/report/figures.ts";
import type { Quality } from "./quality.ts";
import type { ClaimsResult, PartsResult, RunResult } from "./result.ts";
import { PARTS } from "./runs.ts";

/** Whether what the paper says shows here too. */
export interface Verdict {
  /** What the paper says. */
  readonly claim: string;
  /** What was measured here. */
  readonly here: string;
  /** Whether the two agree, as far as the photographs tell it apart from chance. */
  readonly holds: Holds;
}

/** "too close": within twice the standard error that the choice of photographs brings. */
export type Holds = "yes" | "no" | "too close";

/** The verdicts on all claims. */
export function verdictsOf(result: ClaimsResult): Verdict[] {
  return [
    useOf(result),
    lessTraining(result),
    ...partsVerdictsOf(result),
    ...["multiscale", "coda"].flatMap((kind) =>
      ["psnr", "kid"].map((by) => byLevels(result, kind, by as By))
    ),
  ];
}

/** The verdicts on CODA's parts. */
export function partsVerdictsOf(result: PartsResult): Verdict[] {
  return ["psnr", "kid"].map((by) => ablation(result, by as By));
}

/** By which measure. */
type By = "psnr" | "kid";

function useOf(result: ClaimsResult): Verdict {
  const [coda, ...others] = ["coda", "nearest", "multiscale", "vqgan"].map((name) => {
    const { title, heldOut } = runNamed(result, name);
    return { title, used: heldOut.codebook.used };
  });
  return {
    claim: "CODA uses all of its codebook, and more of it than direct VQ and VQGAN (100, 49, 6 %)",
    here: [coda, ...others].map(({ title, used }) => `${title} ${percent(used)}`).join(", "),
    holds: coda.used === 1 && others.every(({ used }) => used < coda.used) ? "yes" : "no",
  };
}

function lessTraining(result: ClaimsResult): Verdict {
  const [coda, vqgan] = ["coda", "vqgan"].map((name) => runNamed(result, name).heldOut);
  return {
    claim: "CODA reconstructs better than VQGAN after six times its steps (rFID 1.34 and 4.98)",
    here: `VQGAN ${text(vqgan, "psnr")} and ${text(vqgan, "kid")}, ` +
      `CODA ${changed(coda, vqgan, "psnr")} and ${changed(coda, vqgan, "kid")}`,
    holds: all([isBetter(coda, vqgan, "psnr"), isBetter(coda, vqgan, "kid")]),
  };
}

function ablation(result: PartsResult, by: By): Verdict {
  return {
    claim: `each part of CODA adds to the one before, by ${WORDS[by]} (rFID 41.5, 14.2, 7.1, 1.34)`,
    ...inOrder(PARTS.map((name) => runNamed(result, name)), by),
  };
}

function byLevels(result: ClaimsResult, kind: string, by: By): Verdict {
  const runs = result.runs.filter(({ claim, name }) =>
    claim === "levels" && name.startsWith(`${kind}-`)
  );
  const { title } = runs[0];
  return {
    claim: `${title}: more residual levels are better, by ${WORDS[by]} (rFID 41.5 to 14.2)`,
    ...inOrder(runs, by),
  };
}

function inOrder(runs: readonly RunResult[], by: By): Pick<Verdict, "here" | "holds"> {
  const [first, ...others] = runs.map(({ heldOut }) => heldOut);
  const before = [first, ...others];
  return {
    here: [text(first, by), ...others.map((run, i) => changed(run, before[i], by))].join(", "),
    holds: all(others.map((run, i) => isBetter(run, before[i], by))),
  };
}

const WORDS = { psnr: "PSNR", kid: "resnet50-kid" } as const;

function all(steps: readonly Holds[]): Holds {
  if (steps.includes("no")) return "no";
  return steps.includes("too close") ? "too close" : "yes";
}

function isBetter(a: Quality, b: Quality, by: By): Holds {
  const { change, error } = difference(a, b, by);
  if (Math.abs(change) <= 2 * error) return "too close";
  return (by === "psnr" ? change > 0 : change < 0) ? "yes" : "no";
}

/**
 * How much more `a` has than `b` on the same photographs, and the standard error of that: of a mean by its
 * terms, of the kernel distance by the jackknife.
 */
export function difference(a: Quality, b: Quality, by: By): { change: number; error: number } {
  const [these, those] = by === "psnr" ? [a.psnrs, b.psnrs] : [a.kidsWithout, b.kidsWithout];
  const count = these.length;
  const changes = these.map((value, i) => value - those[i]);
  const mean = changes.reduce((sum, change) => sum + change, 0) / count;
  const squares = changes.reduce((sum, change) => sum + (change - mean) ** 2, 0);
  const error = Math.sqrt(
    by === "psnr" ? squares / (count - 1) / count : squares * (count - 1) / count,
  );
  return { change: a[by] - b[by], error };
}

function text(quality: Quality, by: By): string {
  return by === "psnr" ? `${quality.psnr.toFixed(2)} dB` : quality.kid.toFixed(3);
}

/** A figure with what it has more than the one before, give or take. */
function changed(a: Quality, b: Quality, by: By): string {
  const { change, error } = difference(a, b, by);
  const digits = by === "psnr" ? 2 : 3;
  const sign = change < 0 ? "−" : "+";
  return `${text(a, by)} (${sign}${Math.abs(change).toFixed(digits)} ± ${error.toFixed(digits)})`;
}

/** A run by what `--only` calls it. */
export function runNamed({ runs }: PartsResult, name: string): RunResult {
  return runs.find((run) => run.name === name)!;
}
