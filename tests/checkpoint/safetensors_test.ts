import { assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { join } from "@std/path";
import { CheckpointError } from "../../src/checkpoint/errors.ts";
import { SafetensorsFile } from "../../src/checkpoint/safetensors.ts";

/** A file put together by hand: the header's length, the header, the data. */
function build(header: unknown, data: number[] | Uint8Array = []): Uint8Array<ArrayBuffer> {
  const json = new TextEncoder().encode(
    typeof header === "string" ? header : JSON.stringify(header),
  );
  const bytes = new Uint8Array(8 + json.length + data.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true);
  bytes.set(json, 8);
  bytes.set(data, 8 + json.length);
  return bytes;
}

function entry(dtype: string, shape: unknown, begin: unknown, end: unknown) {
  return { dtype, shape, data_offsets: [begin, end] };
}

const good = build({
  __metadata__: { format: "pt" },
  b: entry("BF16", [1, 2], 4, 8),
  a: entry("F16", [2], 0, 4),
  scalar: entry("F32", [], 8, 12),
  none: entry("F32", [0, 7], 12, 12),
  wide: entry("I64", [1], 12, 20),
  ints: entry("I32", [1], 20, 24),
  bytes: entry("U8", [2], 24, 26),
  flags: entry("BOOL", [2], 26, 28),
  shorts: entry("I16", [1], 28, 30),
  bits: entry("U16", [1], 30, 32),
  small: entry("I8", [1], 32, 33),
  tiny: entry("F8_E4M3", [3], 33, 36),
  long: entry("U64", [1], 36, 44),
  word: entry("U32", [1], 44, 48),
  old: entry("F64", [2], 48, 64),
}, [
  ...[0x00, 0x3c, 0x00, 0xc0], // 1, -2 in half precision
  ...[0x80, 0x3f, 0x40, 0xc0], // 1, -3 in bfloat16
  ...[0x00, 0x00, 0x20, 0x41], // 10
  ...[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], // -2
  ...[0xfd, 0xff, 0xff, 0xff], // -3
  ...[7, 255],
  ...[0, 1],
  ...[0xfc, 0xff],
  ...[0xfc, 0xff],
  ...[0xfb],
  ...[1, 2, 3],
  ...[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
  ...[0xff, 0xff, 0xff, 0xff],
  ...[0, 0, 0, 0, 0, 0, 0xf0, 0x3f],
  ...[0x9a, 0x99, 0x99, 0x99, 0x99, 0x99, 0xb9, 0x3f], // 0.1, which float32 rounds
]);

async function checkGood(file: SafetensorsFile): Promise<void> {
  assertEquals(file.metadata, { format: "pt" });
  const data = async (name: string) => (await file.tensor(name)).data;
  assertEquals(await data("a"), new Float32Array([1, -2]));
  assertEquals(await data("b"), new Float32Array([1, -3]));
  assertEquals(await data("scalar"), new Float32Array([10]));
  assertEquals(await data("none"), new Float32Array());
  assertEquals(await data("wide"), new BigInt64Array([-2n]));
  assertEquals(await data("ints"), new Int32Array([-3]));
  assertEquals(await data("bytes"), new Uint8Array([7, 255]));
  assertEquals(await data("flags"), new Uint8Array([0, 1]));
  assertEquals(await data("shorts"), new Int16Array([-4]));
  assertEquals(await data("bits"), new Uint16Array([65532]));
  assertEquals(await data("small"), new Int8Array([-5]));
  assertEquals(await data("long"), new BigUint64Array([2n ** 64n - 1n]));
  assertEquals(await data("word"), new Uint32Array([2 ** 32 - 1]));
  assertEquals(await data("old"), new Float32Array([1, 0.1]));
  assertEquals(file.info("b"), { name: "b", dtype: "bf16", shape: [1, 2], bytes: 4 });
  assertEquals((await file.tensor("none")).shape, [0, 7]);
  const all: string[] = [];
  await assertRejects(
    async () => {
      for await (const { name } of file.tensors()) all.push(name);
    },
    CheckpointError,
    'tensor "tiny" is stored as F8_E4M3, which is not read; convert it to F32',
  );
  assertEquals(all, [
    ...["a", "b", "scalar", "none", "wide", "ints", "bytes", "flags", "shorts", "bits", "small"],
  ]);
}

Deno.test("SafetensorsFile reads every dtype, from bytes", async () => {
  using file = SafetensorsFile.fromBytes(good);
  await checkGood(file);
});

Deno.test("SafetensorsFile reads from bytes at an odd place in their buffer", async () => {
  const shifted = new Uint8Array(good.length + 3);
  shifted.set(good, 3);
  using file = SafetensorsFile.fromBytes(shifted.subarray(3));
  await checkGood(file);
});

Deno.test("SafetensorsFile reads from a file, many tensors at a time", async () => {
  const path = await Deno.makeTempFile();
  await Deno.writeFile(path, good);
  {
    using file = await SafetensorsFile.open(path);
    assertEquals(file.file, path);
    await checkGood(file);
    const reads = Array.from({ length: 40 }, (_, i) => file.tensor(i % 2 ? "a" : "ints"));
    (await Promise.all(reads)).forEach(({ data }, i) =>
      assertEquals([...data], i % 2 ? [1, -2] : [-3])
    );
  }
  await Deno.remove(path);
});

Deno.test("SafetensorsFile reads only what it is asked for", async () => {
  const path = await Deno.makeTempFile();
  const size = 2 ** 40; // a sparse file larger than any memory
  const header = { big: entry("U8", [size], 4, size + 4), small: entry("F32", [1], 0, 4) };
  await Deno.writeFile(path, build(header, [0, 0, 128, 63]));
  await Deno.truncate(path, 8 + JSON.stringify(header).length + size + 4);
  {
    using file = await SafetensorsFile.open(path);
    assertEquals((await file.tensor("small")).data, new Float32Array([1]));
    await assertRejects(() => file.tensor("big"), CheckpointError, "bytes of memory");
  }
  await Deno.remove(path);
});

Deno.test("floats checks presence, shape and kind", async () => {
  using file = SafetensorsFile.fromBytes(good, "vae.safetensors");
  assertEquals(await file.floats("b", [1, 2]), new Float32Array([1, -3]));
  assertEquals(file.has("b") && !file.has("c"), true);
  const error = await assertRejects(() => file.floats("b", [2, 1]), CheckpointError);
  assertEquals([error.file, error.tensor], ["vae.safetensors", "b"]);
  assertStringIncludes(
    error.message,
    'vae.safetensors: tensor "b" has shape [1, 2], expected [2, 1]',
  );
  await assertRejects(() => file.floats("c"), CheckpointError, 'tensor "c" is missing');
  await assertRejects(() => file.floats("wide"), CheckpointError, "holds integers (I64)");
  await assertRejects(() => file.tensor("toString"), CheckpointError, "is missing");
});

const hostile: [string, Uint8Array, string][] = [
  ["an empty file", new Uint8Array(), "has 0 bytes"],
  ["seven bytes", new Uint8Array(7), "has 7 bytes"],
  ["a header beyond the file", build("{}").subarray(0, 9), "only 1 follow"],
  ["a header of 2^63 bytes", new Uint8Array(9).fill(128, 7, 8), "has 9223372036854775808 bytes"],
  ["a header beyond the cap", new Uint8Array(9).fill(255), "at most 16777216 are read"],
  ["a header that is not JSON", build("{"), "not JSON"],
  ["a header that is not UTF-8", build("{}").with(9, 0xff), "not JSON"],
  ["a header that is a list", build("[]"), "not a JSON object"],
  ["a header that is null", build("null"), "not a JSON object"],
  ["no header", build(""), "not JSON"],
  ["a text without an end", build('{"a'), "not JSON"],
  ["a deep nesting", build("[".repeat(1e6)), "not JSON"],
  ["a deep nesting behind a quote", build(`{"\\"":${"[".repeat(99)}`), "not JSON"],
  [
    "too many tensors",
    build(`{${Array.from({ length: 65_537 }, (_, i) => `"${i}":0`)}}`),
    "has 65537 tensors, at most 65536 are read",
  ],
  ["a long name", build({ ["a".repeat(1025)]: entry("U8", [0], 0, 0) }), "name of 1025 characters"],
  [
    "too many dimensions",
    build({ a: entry("U8", Array(65).fill(1), 0, 1) }, [1]),
    "has 65 dimensions, expected at most 64",
  ],
  [
    "a tensor twice",
    build(`{"a":${JSON.stringify(entry("U8", [1], 0, 1))}, "\\u0061" :{}}`, [1]),
    '"a" twice',
  ],
  ["a field twice", build('{"a":{"dtype":"U8","dtype":"U8"}}'), '"dtype" twice'],
  ["a key twice after a quote", build(`{"__metadata__":{"q":"\\"","q":"\\""}}`), '"q" twice'],
  ["metadata that is not text", build({ __metadata__: { a: 1 } }), "__metadata__"],
  ["an entry that is null", build({ a: null }), 'tensor "a" has dtype none'],
  ["an unknown dtype", build({ a: entry("F3", [1], 0, 1) }, [1]), '"F3"'],
  ["a dtype of another's name", build({ a: entry("constructor", [1], 0, 1) }, [1]), "dtype"],
  ["a negative size", build({ a: entry("U8", [-1], 0, 1) }, [1]), "has a shape that is not"],
  ["a fractional size", build({ a: entry("U8", [0.5], 0, 1) }, [1]), "has a shape that is not"],
  ["a shape that is text", build({ a: entry("U8", "1", 0, 1) }, [1]), "has a shape that is not"],
  ["a missing offset", build({ a: { dtype: "U8", shape: [1] } }, [1]), "data_offsets"],
  ["a negative offset", build({ a: entry("U8", [1], -1, 0) }, [1]), "data_offsets"],
  ["an end before the begin", build({ a: entry("U8", [1], 1, 0) }, [1]), "bytes 1 to 0"],
  [
    "an end beyond the file",
    build({ a: entry("U8", [2], 0, 2) }, [1]),
    "bytes 0 to 2, but the file",
  ],
  ["too few bytes", build({ a: entry("F32", [2], 0, 4) }, [0, 0, 0, 0]), "needs 8"],
  ["too many bytes", build({ a: entry("U8", [1], 0, 2) }, [0, 0]), "needs 1"],
  [
    "an overflowing shape",
    build({ a: entry("U8", [2 ** 32, 2 ** 32], 0, 0) }),
    "more than can be counted",
  ],
  [
    "overlapping tensors",
    build({ a: entry("U8", [3], 0, 3), b: entry("U8", [2], 2, 4) }, [0, 0, 0, 0]),
    'tensor "b" begins at byte 2, inside tensor "a", which ends at 3',
  ],
  [
    "the same bytes twice",
    build({ a: entry("U8", [2], 0, 2), b: entry("U8", [2], 0, 2) }, [0, 0]),
    "inside tensor",
  ],
  [
    "a hole",
    build({ a: entry("U8", [1], 0, 1), b: entry("U8", [1], 2, 3) }, [0, 0, 0]),
    'tensor "b" begins at byte 2, but the bytes before it end at 1',
  ],
  ["a hole at the start", build({ a: entry("U8", [1], 1, 2) }, [0, 0]), "hole"],
  ["bytes after the last tensor", build({ a: entry("U8", [1], 0, 1) }, [0, 0]), "take 1"],
  [
    "a name over several lines",
    build({ ["a\nb".repeat(99)]: entry("U8", [1], 0, 9) }),
    'tensor "a\\nba\\nb',
  ],
];

for (const [what, bytes, message] of hostile) {
  Deno.test(`SafetensorsFile refuses ${what}`, async () => {
    const check = (error: CheckpointError, file: string) => {
      assertStringIncludes(error.message, `${file}: `);
      assertStringIncludes(error.message, message);
      assertEquals(error.message.includes("\n"), false);
    };
    check(assertThrows(() => SafetensorsFile.fromBytes(bytes, "x"), CheckpointError), "x");
    const path = await Deno.makeTempFile();
    await Deno.writeFile(path, bytes);
    check(await assertRejects(() => SafetensorsFile.open(path), CheckpointError), path);
    await Deno.remove(path);
  });
}

Deno.test("SafetensorsFile refuses the file cut short at every byte", () => {
  for (let length = 0; length < good.length; length++) {
    assertThrows(() => SafetensorsFile.fromBytes(good.subarray(0, length)), CheckpointError);
  }
});

Deno.test("SafetensorsFile accepts keys that only look like others", () => {
  const text = JSON.stringify(entry("U8", [0], 0, 0));
  const header = `{"a":${text},"dtype":${text},"\\"a\\":":${text},"__proto__":${text}}`;
  using file = SafetensorsFile.fromBytes(build(header));
  assertEquals(file.names.sort(), ['"a":', "__proto__", "a", "dtype"]);
});

Deno.test("SafetensorsFile says what is wrong with a path", async () => {
  const folder = await Deno.makeTempDir();
  const gone = join(folder, "gone");
  await assertRejects(() => SafetensorsFile.open(gone), CheckpointError, `${gone}: there is no`);
  await assertRejects(() => SafetensorsFile.open(folder), CheckpointError, "is a folder");
  await Deno.remove(folder);
});

Deno.test("SafetensorsFile reads what another writer wrote", async () => {
  const url = new URL("../fixtures/ops.safetensors", import.meta.url);
  using file = await SafetensorsFile.open(url.pathname);
  let bytes = 0;
  for await (const { name, shape, data } of file.tensors()) {
    assertEquals(data.length, shape.reduce((a, b) => a * b, 1), name);
    bytes += data.byteLength;
  }
  assertEquals(bytes > 0, true);
});
