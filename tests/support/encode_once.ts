/** Reads an image as JSON, encodes it with the tokenizer of the folder given, writes the token file's bytes. */
import { Tokenizer } from "../../src/tokenizer.ts";
import { encodeTokens } from "../../src/tokens/mod.ts";

const image = await new Response(Deno.stdin.readable).json();
using tokenizer = await Tokenizer.load(Deno.args[0]);
const tokens = await tokenizer.encode({ ...image, data: new Uint8Array(image.data) });
await Deno.stdout.write(encodeTokens(tokens));
