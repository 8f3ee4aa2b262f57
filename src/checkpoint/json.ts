import { MAX_JSON_DEPTH } from "./limits.ts";

/**
 * Parses JSON that came with a file. Nesting is looked at first: each bracket of a text that is nothing
 * else would take a hundred bytes.
 *
 * @throws {SyntaxError} where it is no JSON, or nested deeper than any checkpoint's.
 */
export function parseJson(text: string): unknown {
  if (depthOf(text) > MAX_JSON_DEPTH) {
    throw new SyntaxError(`it is nested over ${MAX_JSON_DEPTH} deep`);
  }
  return JSON.parse(text);
}

/** How deep a text's brackets are nested; of a text that is no JSON, nothing in particular. */
function depthOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (c === '"') i = endOfString(text, i) - 1;
    else if (c === "{" || c === "[") deepest = Math.max(deepest, ++depth);
    else if (c === "}" || c === "]") depth--;
  }
  return deepest;
}

/** One past the closing quote of the string that opens at `start`, or the end of the text. */
export function endOfString(text: string, start: number): number {
  let i = start + 1;
  while (i < text.length && text[i] !== '"') i += text[i] === "\\" ? 2 : 1;
  return i + 1;
}
