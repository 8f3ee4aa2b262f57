/**
 * Images as tokens: the `.coda` token file, small, self-describing and checked, and its JSON form.
 * {@link encodeTokens} documents the format byte by byte.
 *
 * @module
 */

export { TokenFileError } from "./errors.ts";
export { readTokens, writeTokens } from "./file.ts";
export { decodeTokens, encodeTokens, TOKEN_FORMAT_VERSION } from "./format.ts";
export { tokensFromJson, type TokensJson, tokensToJson } from "./json.ts";
export { requireModel, type Size, type Tokens } from "./tokens.ts";
