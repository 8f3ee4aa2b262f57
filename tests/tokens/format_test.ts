import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { crc32 as zlibCrc32 } from "node:zlib";
import { crc32 } from "../../src/tokens/crc32.ts";
import {
  decodeTokens,
  encodeTokens,
  requireModel,
  TokenFileError,
  type Tokens,
} from "../../src/tokens/mod.ts";
import { MODEL_ID, sample } from "./sample.ts";

/** The file with the CRC-32 that its other bytes have. */
function sealed(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const copy = bytes.slice();
  new DataView(copy.buffer).setUint32(copy.length - 4, zlibCrc32(copy.subarray(0, -4)), true);
  return copy;
}

/** The file with some bytes changed and its checksum right. */
function changed(bytes: Uint8Array<ArrayBuffer>, at: number, values: number[]) {
  const copy = bytes.slice();
  copy.set(values, at);
  return sealed(copy);
}

function refuse(bytes: Uint8Array, message: string): void {
  const error = assertThrows(() => decodeTokens(bytes, { file: "a.coda" }), TokenFileError);
  assertStringIncludes(error.message, "a.coda: ");
  assertStringIncludes(error.message, message);
  assertEquals(error.message.includes("\n"), false);
}

Deno.test("encodeTokens writes these bytes", () => {
  const tokens: Tokens = {
    width: 300,
    height: 200,
    decoded: { width: 304, height: 208 },
    codebookSize: 1000,
    modelId: MODEL_ID,
    grids: [{ height: 1, width: 1 }, { height: 1, width: 2 }],
    indices: [new Uint32Array([999]), new Uint32Array([1, 512])],
  };
  const body = [
    ...[0x43, 0x4f, 0x44, 0x41], // CODA
    ...[1, 0, 2, 0], // version, scales
    ...[0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77],
    ...[0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff],
    ...[44, 1, 0, 0, 200, 0, 0, 0],
    ...[48, 1, 0, 0, 208, 0, 0, 0],
    ...[232, 3, 0, 0],
    ...[1, 0, 1, 0, 1, 0, 2, 0],
    // 999 = 1111100111, 1, 512 = 1000000000, ten bits each, lowest first.
    ...[0b11100111, 0b00000111, 0b00000000, 0b00100000],
  ];
  const bytes = encodeTokens(tokens);
  assertEquals([...bytes.subarray(0, -4)], body);
  assertEquals(
    new DataView(bytes.buffer).getUint32(body.length, true),
    zlibCrc32(new Uint8Array(body)),
  );
  assertEquals(decodeTokens(bytes), tokens);
});

Deno.test("tokens come back as they went, for codebooks of every width", () => {
  for (let bits = 0; bits <= 24; bits++) {
    for (const size of [2 ** bits, 2 ** bits + 1, 2 ** bits - 1]) {
      if (size < 1 || size > 2 ** 24) continue;
      const tokens = sample(size);
      const bytes = encodeTokens(tokens);
      const width = Math.max(1, Math.ceil(Math.log2(size)));
      assertEquals(bytes.length, 44 + 12 + Math.ceil((27 * width) / 8) + 4);
      assertEquals(decodeTokens(bytes), tokens);
    }
  }
});

Deno.test("tokens that were made in half say so in version 2, others are of version 1", () => {
  const [plain, half] = [sample(600), { ...sample(600), half: true }];
  const [one, two] = [encodeTokens(plain), encodeTokens(half)];
  assertEquals(encodeTokens({ ...plain, half: false }), one);
  assertEquals([one[4], two[4]], [1, 2]);
  const flags = [1, 0, 0, 0];
  const expected = [...one.subarray(0, 44), ...flags, ...one.subarray(44)].with(4, 2);
  assertEquals([...two], [...sealed(new Uint8Array(expected))]);
  assertEquals(decodeTokens(one), plain);
  assertEquals(decodeTokens(two), half);
  assertEquals(decodeTokens(changed(two, 44, [0])), plain);
  refuse(changed(two, 44, [2]), "has flags 2, this program knows up to 1; update the program");
  for (let length = 4; length < two.length; length++) {
    refuse(two.subarray(0, length), `ends at byte ${length}`);
  }
  for (let bit = 0; bit < two.length * 8; bit++) {
    const flipped = two.slice();
    flipped[bit >> 3] ^= 1 << (bit & 7);
    assertThrows(() => decodeTokens(flipped), TokenFileError, "(bytes): ");
  }
});

Deno.test("tokens are read from bytes at an odd place in their buffer", () => {
  const bytes = encodeTokens(sample(77));
  const shifted = new Uint8Array(bytes.length + 3);
  shifted.set(bytes, 3);
  assertEquals(decodeTokens(shifted.subarray(3)), sample(77));
});

Deno.test("a prefix of the scales is a valid file", () => {
  const { grids, indices, ...rest } = sample(500);
  const prefix = { ...rest, grids: grids.slice(0, 2), indices: indices.slice(0, 2) };
  assertEquals(decodeTokens(encodeTokens(prefix)), prefix);
});

Deno.test("a model id of 64 digits is kept to its first half", () => {
  const tokens = { ...sample(9), modelId: MODEL_ID + "0".repeat(32) };
  assertEquals(decodeTokens(encodeTokens(tokens)).modelId, MODEL_ID);
});

Deno.test("a decoded size that is the image's own is not told apart", () => {
  const tokens = sample(9);
  const { width, height } = tokens;
  assertEquals(decodeTokens(encodeTokens({ ...tokens, decoded: { width, height } })), tokens);
});

Deno.test("every flipped bit is found", () => {
  const bytes = encodeTokens(sample(600));
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const flipped = bytes.slice();
    flipped[bit >> 3] ^= 1 << (bit & 7);
    assertThrows(() => decodeTokens(flipped), TokenFileError, "(bytes): ");
  }
});

Deno.test("every truncation is found and says where the file ends", () => {
  const bytes = encodeTokens(sample(600));
  for (let length = 0; length < bytes.length; length++) {
    const message = length < 4 ? "not a token file" : `ends at byte ${length}`;
    refuse(bytes.subarray(0, length), message);
    if (length >= 48) refuse(sealed(bytes.slice(0, length)), message);
  }
});

Deno.test("random bytes after the magic are refused without much memory", () => {
  let state = 1;
  for (let round = 0; round < 2000; round++) {
    const bytes = Uint8Array.from({ length: 80 + (round % 40) }, () => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return state >>> 24;
    });
    bytes.set([0x43, 0x4f, 0x44, 0x41, 1, 0, round % 5, 0]);
    assertThrows(() => decodeTokens(sealed(bytes)), TokenFileError);
  }
});

Deno.test("decodeTokens names each fault", () => {
  const bytes = encodeTokens(sample(600));
  refuse(new TextEncoder().encode("hello world"), "is not a token file");
  refuse(changed(bytes, 4, [3]), "is of format version 3, this program reads up to 2; update");
  refuse(changed(bytes, 4, [0]), "format version 0");
  refuse(
    sealed(new Uint8Array([...bytes, 0])),
    `has ${bytes.length + 1} bytes, its header asks for`,
  );
  refuse(bytes.with(bytes.length - 1, bytes.at(-1)! ^ 1), "bytes have changed");
  refuse(changed(bytes, 6, [0]), "has 0 scales");
  refuse(changed(bytes, 24, [0, 0, 0, 0]), "says the image is 0×40");
  refuse(changed(bytes, 24, [255, 255, 255, 255]), "says the image is 4294967295×40");
  refuse(changed(bytes, 36, [255, 255, 255, 0]), "says the decoded image is 31×16777215");
  refuse(changed(bytes, 40, [0, 0, 0, 0]), "codebook has 0 codes");
  refuse(changed(bytes, 40, [1, 0, 0, 1]), "codebook has 16777217 codes");
  refuse(changed(bytes, 44, [0, 0]), "has a grid of 0×1");
  refuse(changed(bytes, 44, [255, 255, 255, 255]), "ends at byte");
  refuse(changed(bytes, 40, [0x57, 2]), "has index 599 at scale 0, its codebook has 599 codes");
  // 27 indices of 10 bits leave the upper two bits of the 34th byte.
  const last = bytes.length - 5;
  refuse(changed(bytes, last, [bytes[last] | 0x80]), "has set bits after its indices");
});

Deno.test("encodeTokens refuses tokens that do not fit together", () => {
  const tokens = sample(16);
  const refuse = (change: Partial<Tokens>, message: string) =>
    assertThrows(() => encodeTokens({ ...tokens, ...change }), RangeError, message);
  refuse({ indices: tokens.indices.slice(1) }, "2 scales of indices for 3 grids");
  refuse({ indices: tokens.indices.toReversed() }, "20 indices at scale 0, its grid 1×1 needs 1");
  refuse({ codebookSize: 15 }, "index 15");
  refuse({ codebookSize: 1.5 }, "1.5 codes");
  refuse({ width: 0 }, "0×40");
  refuse({ height: 1.5 }, "31×1.5");
  refuse({ grids: [], indices: [] }, "0 scales");
  refuse({ grids: [{ height: 70_000, width: 1 }], indices: [new Uint32Array(70_000)] }, "70000×1");
  refuse({ modelId: "0x12" }, "32 or 64 hexadecimal digits");
  refuse({ modelId: MODEL_ID.toUpperCase() }, "hexadecimal digits");
});

Deno.test("requireModel tells another model's tokens", () => {
  requireModel(sample(4), MODEL_ID);
  requireModel(sample(4), MODEL_ID + "f".repeat(32));
  assertThrows(
    () => requireModel(sample(4), "f".repeat(64), "a.coda"),
    TokenFileError,
    "a.coda: was made by model 00112233…, this is model ffffffff…; decode it with",
  );
});

Deno.test("crc32 is that of zip and PNG", () => {
  const digits = new TextEncoder().encode("123456789");
  assertEquals(crc32(digits), 0xcbf43926); // the check value of the standard
  assertEquals(crc32(new Uint8Array()), 0);
});
