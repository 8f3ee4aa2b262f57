import type { Evaluation, TrainingProgress } from "../../src/train/mod.ts";
import type { Measured } from "./result.ts";

/** What a run's metrics.jsonl says, by steps counted from the first joint one. */
export async function momentsOf(
  folder: string,
  warmupSteps: number,
): Promise<Pick<Measured, "training" | "looks">> {
  const text = await Deno.readTextFile(`${folder}/metrics.jsonl`);
  const lines: Line[] = text.trimEnd().split("\n").map((line) => JSON.parse(line));
  const reports = lines.filter((line): line is TrainingProgress => !isLook(line));
  return {
    training: reports.filter(({ phase }) => phase === "joint").map((report) => ({
      step: report.step - warmupSteps,
      codebookUse: report.codebookUse!,
      perplexity: report.perplexity!,
    })),
    looks: lines.filter(isLook).map(({ step, evaluation }) => ({
      step: step - warmupSteps,
      psnr: evaluation.psnr,
      codebookUse: evaluation.codebookUse!,
      perplexity: evaluation.perplexity!,
    })),
  };
}

type Look = { readonly step: number; readonly evaluation: Omit<Evaluation, "step"> };
type Line = TrainingProgress | Look;

function isLook(line: Line): line is Look {
  return "evaluation" in line;
}
