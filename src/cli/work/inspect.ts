/** The work of `coda inspect`. */
import { inspectCheckpoint, type TokenizerOptions } from "../../checkpoint/mod.ts";
import { inspectionText } from "../inspection_text.ts";
import { pullFirst } from "./pull.ts";

/** Inspects a checkpoint and prints what it holds. */
export async function printInspection(
  path: string,
  { json, quiet, ...options }: TokenizerOptions & { json: boolean; quiet: boolean },
): Promise<void> {
  await pullFirst(path, { quiet, weights: options.weights });
  const inspection = await inspectCheckpoint(path, options);
  console.log(json ? JSON.stringify(inspection, null, 2) : inspectionText(inspection));
}
