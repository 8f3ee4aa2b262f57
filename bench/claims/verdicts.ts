import type { ClaimsResult, RunResult } from "./result.ts";

/** Whether what the paper says shows here too. */
export interface Verdict {
  /** What the paper says. */
  readonly claim: string;
  /** What was measured here. */
  readonly here: string;
  /** Whether the two agree. */
  readonly holds: boolean;
}

/** The verdicts on all claims. */
export function verdictsOf(result: ClaimsResult): Verdict[] {
  return [
    useOf(result),
    lessTraining(result),
    ...["psnr", "kid"].map((by) => ablation(result, by as By)),
    ...["multiscale", "coda"].flatMap((kind) =>
      ["psnr", "kid"].map((by) => byLevels(result, kind, by as By))
    ),
  ];
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
    holds: coda.used === 1 && others.every(({ used }) => used < coda.used),
  };
}

function lessTraining(result: ClaimsResult): Verdict {
  const [coda, vqgan] = ["coda", "vqgan"].map((name) => runNamed(result, name).heldOut);
  return {
    claim: "CODA reconstructs better than VQGAN after six times its steps (rFID 1.34 and 4.98)",
    here: `CODA ${figures(coda)}, VQGAN ${figures(vqgan)}`,
    holds: isBetter(coda, vqgan, "psnr") && isBetter(coda, vqgan, "kid"),
  };
}

function ablation(result: ClaimsResult, by: By): Verdict {
  const names = ["nearest", "multiscale", "coda-frozen", "coda"];
  return {
    claim: `each part of CODA adds to the one before, by ${WORDS[by]} (rFID 41.5, 14.2, 7.1, 1.34)`,
    ...inOrder(names.map((name) => runNamed(result, name)), by),
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
  const isNext = (run: RunResult, i: number) =>
    i === 0 || isBetter(run.heldOut, runs[i - 1].heldOut, by);
  return {
    here: runs.map(({ heldOut }) => text(heldOut, by)).join(", "),
    holds: runs.every(isNext),
  };
}

const WORDS = { psnr: "PSNR", kid: "resnet50-kid" } as const;

function isBetter(a: RunResult["heldOut"], b: RunResult["heldOut"], by: By): boolean {
  return by === "psnr" ? a.psnr > b.psnr : a.kid < b.kid;
}

function text(quality: RunResult["heldOut"], by: By): string {
  return by === "psnr" ? `${quality.psnr.toFixed(2)} dB` : quality.kid.toFixed(3);
}

function figures(quality: RunResult["heldOut"]): string {
  return `${text(quality, "psnr")} and ${text(quality, "kid")}`;
}

/** A run by what `--only` calls it. */
export function runNamed({ runs }: ClaimsResult, name: string): RunResult {
  return runs.find((run) => run.name === name)!;
}

/** A share in percent, with a digit behind the point. */
export function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}
