/** A tensor as {@link modelId} sees it. */
export interface NamedWeights {
  /** The tensor's name. */
  readonly name: string;
  /** Its shape, row-major. */
  readonly shape: readonly number[];
  /** Its values as loaded, in float32. */
  readonly data: Float32Array<ArrayBuffer>;
}

async function sha256(bytes: BufferSource): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
}

/** Name, shape and the digest of the values, one line of the list that the id is the hash of. */
async function line({ name, shape, data }: NamedWeights): Promise<string> {
  const digest = (await sha256(data)).toHex();
  return `${JSON.stringify(name)} [${shape.join(",")}] ${digest}\n`;
}

/**
 * The identity of a model: a SHA-256 over its weights' names, shapes and float32 values as loaded.
 * Neither the order of the tensors nor the file's dtype enters: an f16 file and its float32 copy
 * have the same id. Rounding weights to f16 makes another model, with another id.
 *
 * It is the SHA-256 of one text line per tensor, in the order of the names' UTF-16 code units:
 * the name as a JSON string, a space, the shape as `[a,b]`, a space, the SHA-256 in hex of the
 * values' little-endian float32 bytes, a line feed.
 *
 * @param tensors The weights, at once or one after another.
 * @returns 64 hexadecimal digits. A token file keeps the first 32.
 *
 * @example
 * ```ts
 * import { modelId } from "@coda/tokenizer";
 *
 * const w = { name: "w", shape: [2], data: new Float32Array([1, 2]) };
 * const b = { name: "b", shape: [1], data: new Float32Array([0]) };
 * console.assert((await modelId([w, b])) === (await modelId([b, w])));
 * ```
 */
export async function modelId(
  tensors: Iterable<NamedWeights> | AsyncIterable<NamedWeights>,
): Promise<string> {
  const lines: [string, string][] = [];
  for await (const tensor of tensors) lines.push([tensor.name, await line(tensor)]);
  lines.sort(([a], [b]) => (a < b ? -1 : 1));
  const text = lines.map(([, text]) => text).join("");
  return (await sha256(new TextEncoder().encode(text))).toHex();
}
