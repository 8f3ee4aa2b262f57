import { TokenFileError } from "./errors.ts";
import { headerProblem, indicesProblem, type Tokens } from "./tokens.ts";

/** Tokens as plain data for JSON. */
export interface TokensJson {
  /** Always `"coda-tokens"`. */
  readonly format: "coda-tokens";
  /** The version of this form. */
  readonly version: 1;
  /** Width of the original image in pixels. */
  readonly width: number;
  /** Height of the original image in pixels. */
  readonly height: number;
  /** Size of the image that the grids cover, where it is not the original's. */
  readonly decoded?: { readonly width: number; readonly height: number };
  /** Number of codes V. */
  readonly codebookSize: number;
  /** First 32 hexadecimal digits of the model's id. */
  readonly modelId: string;
  /** True where the model was in half. */
  readonly half?: boolean;
  /** `[height, width]` of each scale's grid. */
  readonly grids: readonly (readonly [number, number])[];
  /** The indices of each scale, row-major. */
  readonly indices: readonly (readonly number[])[];
}

/**
 * Tokens as plain data that `JSON.stringify` writes.
 *
 * @example
 * ```ts
 * import { tokensFromJson, tokensToJson } from "@coda/tokenizer";
 *
 * const tokens = {
 *   width: 8,
 *   height: 8,
 *   codebookSize: 4,
 *   modelId: "0123456789abcdef0123456789abcdef",
 *   grids: [{ height: 1, width: 1 }],
 *   indices: [new Uint32Array([3])],
 * };
 * const text = JSON.stringify(tokensToJson(tokens));
 * console.assert(tokensFromJson(JSON.parse(text)).indices[0][0] === 3);
 * ```
 */
export function tokensToJson(tokens: Tokens): TokensJson {
  const { width, height, decoded, codebookSize, modelId, half, grids, indices } = tokens;
  return {
    format: "coda-tokens",
    version: 1,
    width,
    height,
    ...(decoded && { decoded: { width: decoded.width, height: decoded.height } }),
    codebookSize,
    modelId: modelId.slice(0, 32),
    ...(half && { half }),
    grids: grids.map((grid): [number, number] => [grid.height, grid.width]),
    indices: indices.map((scale) => [...scale]),
  };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isNumbers(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((n) => Number.isInteger(n) && n >= 0 && n < 2 ** 32);
}

function isTable(value: unknown): value is number[][] {
  return Array.isArray(value) && value.every(isNumbers);
}

/** The first field that has the wrong kind, or undefined. */
function wrongField(json: Record<string, unknown>): string | undefined {
  const { width, height, decoded, codebookSize, modelId, half, grids, indices } = json;
  const checks: [string, boolean][] = [
    ["width", typeof width === "number"],
    ["height", typeof height === "number"],
    ["decoded", decoded === undefined || (isRecord(decoded) && isNumbers(Object.values(decoded)))],
    ["codebookSize", typeof codebookSize === "number"],
    ["modelId", typeof modelId === "string" && /^[0-9a-f]{32}$/.test(modelId)],
    ["half", half === undefined || typeof half === "boolean"],
    ["grids", isTable(grids) && grids.every((grid) => grid.length === 2)],
    ["indices", isTable(indices)],
  ];
  return checks.find(([, ok]) => !ok)?.[0];
}

/**
 * Tokens from what {@link tokensToJson} made, checked like a token file.
 *
 * @param value The parsed JSON.
 * @param options `file`: its name, for messages.
 * @throws {TokenFileError} If it is not that, or a value is out of range.
 *
 * @example
 * ```ts
 * import { TokenFileError, tokensFromJson } from "@coda/tokenizer";
 *
 * try {
 *   tokensFromJson({ format: "something else" });
 * } catch (error) {
 *   console.assert(error instanceof TokenFileError);
 * }
 * ```
 */
export function tokensFromJson(value: unknown, options: { file?: string } = {}): Tokens {
  const file = options.file ?? "(json)";
  if (!isRecord(value) || value.format !== "coda-tokens" || value.version !== 1) {
    throw new TokenFileError(file, 'is not tokens; expected "format": "coda-tokens", "version": 1');
  }
  const field = wrongField(value);
  if (field !== undefined) {
    throw new TokenFileError(file, `has no valid "${field}"; make it again`);
  }
  const json = value as unknown as TokensJson;
  const tokens: Tokens = {
    width: json.width,
    height: json.height,
    ...(json.decoded && { decoded: { width: json.decoded.width, height: json.decoded.height } }),
    codebookSize: json.codebookSize,
    modelId: json.modelId,
    ...(json.half && { half: true }),
    grids: json.grids.map(([height, width]) => ({ height, width })),
    indices: json.indices.map((scale) => Uint32Array.from(scale)),
  };
  const problem = headerProblem(tokens) ?? indicesProblem(tokens);
  if (problem !== undefined) throw new TokenFileError(file, `${problem}; make it again`);
  return tokens;
}
