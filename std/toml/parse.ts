// deno-lint-ignore no-import-prefix -- the linked package has this one dependency
import * as npm from "npm:deno-std@1.4.0/toml/parse.js";

/** The values of a TOML text by their keys. @throws {SyntaxError} where it is none. */
export const parse: (text: string) => Record<string, unknown> = npm.parse;
