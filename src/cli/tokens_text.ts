/** What a token file holds, as a person reads it. */
import { printable } from "../checkpoint/errors.ts";
import { tokenCount } from "../quantizer/mod.ts";
import type { Tokens } from "../tokens/mod.ts";
import { bitsPerIndex } from "../tokens/tokens.ts";
import { formatCount } from "./format.ts";

/** A token file, one label a line. */
export function tokensText(file: string, tokens: Tokens): string {
  const { width, height, decoded, codebookSize, modelId, half, grids } = tokens;
  const [first, last] = [grids[0], grids[grids.length - 1]];
  const scales = grids.length === 1 ? "1 scale" : `${grids.length} scales`;
  const padded = decoded ? `, filled up to ${decoded.width}×${decoded.height}` : "";
  const rows = [
    ["File", `${file}, tokens`],
    ["Image", `${width}×${height}${padded}`],
    ["Model", modelId],
    ["Made", half ? "in half (--half)" : "in float32, or by a version that did not say"],
    [
      "Tokens",
      `${formatCount(tokenCount(grids))} in ${scales}, ${first.height}×${first.width} to ` +
      `${last.height}×${last.width}`,
    ],
    ["Codes", `${formatCount(codebookSize)}, ${bitsPerIndex(codebookSize)} bits each`],
  ];
  return rows.map(([label, text]) => printable(`${label.padEnd(12)}${text}`)).join("\n");
}
