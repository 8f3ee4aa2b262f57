/** The work of `coda inspect`. */
import { inspectCheckpoint, type TokenizerOptions } from "../../checkpoint/mod.ts";
import { isTokenFile, readTokens } from "../../tokens/file.ts";
import { tokensToJson } from "../../tokens/mod.ts";
import { inspectionText } from "../inspection_text.ts";
import { tokensText } from "../tokens_text.ts";
import { pullFirst } from "./pull.ts";

/** Inspects a checkpoint, or a token file, and prints what it holds. */
export async function printInspection(
  path: string,
  { json, quiet, ...options }: TokenizerOptions & { json: boolean; quiet: boolean },
): Promise<void> {
  if (await isTokenFile(path)) {
    const tokens = await readTokens(path);
    console.log(
      json
        ? JSON.stringify({ file: path, ...tokensToJson(tokens) }, null, 2)
        : tokensText(path, tokens),
    );
    return;
  }
  await pullFirst(path, { quiet, weights: options.weights });
  const inspection = await inspectCheckpoint(path, options);
  console.log(json ? JSON.stringify(inspection, null, 2) : inspectionText(inspection));
}
