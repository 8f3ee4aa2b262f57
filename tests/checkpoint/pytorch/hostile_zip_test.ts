import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { CheckpointError, PytorchFile } from "../../../src/checkpoint/mod.ts";
import { bytesRead } from "../../support/count_reads.ts";
import { op, pickle, stateDict, type TensorPlan } from "../../support/pickle.ts";
import { FOUR, torchZip } from "../../support/torch_file.ts";
import { zip } from "../../support/zip.ts";

const four = { shape: [4], strides: [1] };
const good = stateDict({ w: four });
const half = FOUR.subarray(8);
const nothing = new Uint8Array();
/** Far more zeros than there are bytes that they are packed in. */
const zeros = new Uint8Array(40 * 2 ** 20);
const TWO_63 = 2n ** 63n;

/** Archives that no torch.save writes, and what is said of them. */
const archives: [string, Uint8Array, string][] = [
  ["only a beginning", zip([]).subarray(0, 4), "no sound zip archive"],
  ["a beginning and nothing", Uint8Array.from([0x50, 0x4b, 3, 4, 0]), "no sound zip archive"],
  ["no files", zip([]), "without data.pkl"],
  ["other files", zip([{ name: "readme.txt", data: half }]), "without data.pkl"],
  ["a pickle deeper in", zip([{ name: "a/b/data.pkl", data: good }]), "without data.pkl"],
  [
    "two pickles",
    torchZip(good, {}, { more: [{ name: "n/data.pkl", data: good }] }),
    "has 2 entries data.pkl",
  ],
  [
    "a name twice",
    torchZip(good, { 0: FOUR }, { more: [{ name: "m/data/0", data: half }] }),
    "twic",
  ],
  ["a missing storage", torchZip(good, {}), 'has no entry "m/data/0"'],
  [
    "a short storage",
    torchZip(good, { 0: half }),
    'has 8 bytes in "m/data/0", its tensors need 16',
  ],
  [
    "numbers of another machine",
    torchZip(good, { 0: FOUR }, { more: [{ name: "m/byteorder", data: utf8("big") }] }),
    'has the byte order "big"',
  ],
  ["a password", torchZip(good, { 0: FOUR }, { file: { flags: 1 } }), "is encrypted"],
  ["another method", torchZip(good, { 0: FOUR }, { file: { method: 12 } }), "packed by method 12"],
  [
    "stored bytes that grow",
    torchZip(good, { 0: FOUR }, { file: { size: 2 ** 30 } }),
    "has 16 bytes that are said to be 1073741824",
  ],
  [
    "a storage at another's place",
    torchZip(stateDict({ w: four, v: { ...four, key: "1" } }), { 0: FOUR, 1: FOUR }, {
      file: { offset: 0 },
    }),
    "reaches byte",
  ],
  [
    "files that overlap",
    torchZip(good, { 0: FOUR }, { more: [{ name: "m/data/1", data: FOUR, offset: 10 }] }),
    "it is damaged or made to harm",
  ],
  [
    "a file in the directory",
    torchZip(good, { 0: FOUR }, { file: { packed: 200, size: 200 } }),
    "into the directory",
  ],
  [
    "sizes of 2^63",
    torchZip(good, { 0: FOUR }, { zip64: true, file: { size: TWO_63, packed: TWO_63 } }),
    "no sound zip archive (64-bit value",
  ],
  [
    "a place at 2^63",
    torchZip(good, { 0: FOUR }, { zip64: true, file: { offset: TWO_63 } }),
    "no sound zip archive (64-bit value",
  ],
  [
    "a directory of 2^63 bytes",
    torchZip(good, { 0: FOUR }, { zip64: true, directorySize: TWO_63 }),
    "no sound zip archive (64-bit value",
  ],
  [
    "a directory at 2^63",
    torchZip(good, { 0: FOUR }, { zip64: true, directoryOffset: TWO_63 }),
    "no sound zip archive (64-bit value",
  ],
  [
    "a pickle of another name before its data",
    zip([{ name: "m/data.pkl", localName: "n/data.pkl", data: good }]),
    "mismatched local file header (filename)",
  ],
  ["a file above its folder", zip([{ name: "../data.pkl", data: good }]), "no sound zip archive"],
  [
    "a tensor that unpacks to far more than the file",
    bomb({ shape: [2 ** 27], strides: [1] }),
    'tensor "w" and those before it take 536870912 bytes',
  ],
  [
    "a tensor for which far more than the file is unpacked",
    bomb({ shape: [2], strides: [2 ** 27 - 1] }),
    'tensor "w" and those before it take 536870912 bytes',
  ],
  [
    "more files than there are",
    torchZip(good, { 0: FOUR }, { zip64: true, entries: 2 ** 40 }),
    "no sound zip archive",
  ],
  [
    "a deflated storage that grows beyond deflate",
    torchZip(good, { 0: FOUR }, { file: { deflate: true, size: 2 ** 40 }, zip64: true }),
    "more than deflate can",
  ],
  [
    "a pickle that grows beyond what is read",
    zip([{ name: "m/data.pkl", data: zeros, deflate: true }]),
    "has a data.pkl of 41943040 bytes, at most 33554432 are read",
  ],
  [
    "a pickle that grows beyond what it says",
    zip([{ name: "m/data.pkl", data: zeros, deflate: true, size: 1000 }]),
    "than the 1000 bytes",
  ],
  [
    "a pickle that is no deflate",
    zip([{ name: "m/data.pkl", data: good, method: 8, size: good.length + 1 }]),
    "no sound zip archive",
  ],
  [
    "too many files",
    zip(Array.from({ length: 65_537 }, (_, i) => ({ name: `${i}`, data: nothing })), {
      zip64: true,
    }),
    "has over 65536 entries",
  ],
];

/** An archive that says of half a megabyte that it unpacks to half a gigabyte. */
function bomb(plan: Pick<TensorPlan, "shape" | "strides">): Uint8Array {
  const data = stateDict({ w: { ...plan, elements: 2 ** 27 } });
  return torchZip(data, { 0: new Uint8Array(2 ** 19 + 2 ** 16) }, {
    zip64: true,
    file: { method: 8, size: 2 ** 29 },
  });
}

function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

for (const [what, bytes, message] of archives) {
  Deno.test(`An archive with ${what} is refused`, async () => {
    const path = await Deno.makeTempFile({ suffix: ".pth" });
    await Deno.writeFile(path, bytes);
    const read = await bytesRead(async () => {
      const error = await assertRejects(() => PytorchFile.open(path), CheckpointError);
      assertStringIncludes(error.message, `${path}: `);
      assertStringIncludes(error.message, message);
    });
    // The end is looked for in the last 64 KiB, and the directory read once or twice.
    assert(read <= 4 * bytes.length + 65_536, `${read} of ${bytes.length} bytes were read`);
    await Deno.remove(path);
  });
}

Deno.test("A storage that unpacks to less than it says is refused when it is read", async () => {
  const bytes = torchZip(good, { 0: half }, { file: { deflate: true, size: 16 } });
  using file = await PytorchFile.fromBytes(bytes, "x.pth");
  await assertRejects(() => file.tensor("w"), CheckpointError, "x.pth: is no sound zip archive");
});

Deno.test("A storage that unpacks to more than it says is refused when it is read", async () => {
  const bytes = torchZip(good, { 0: zeros }, { file: { deflate: true, size: 16 } });
  using file = await PytorchFile.fromBytes(bytes, "x.pth");
  await assertRejects(() => file.tensor("w"), CheckpointError, 'x.pth: unpacks "m/data/0" to more');
});

Deno.test("Of a storage that unpacks to much, what a tensor needs is kept", async () => {
  const elements = zeros.length / 4;
  const data = stateDict({ w: { ...four, elements, offset: elements - 4 } });
  const bytes = torchZip(data, { 0: zeros }, { file: { deflate: true } });
  using file = await PytorchFile.fromBytes(bytes);
  const { buffer } = await file.floats("w");
  assertEquals(buffer.byteLength, 16);
});

Deno.test("A directory larger than any is not read", async () => {
  const path = join(await Deno.makeTempDir(), "x.pth");
  const bytes = torchZip(good, { 0: FOUR }, {
    zip64: true,
    gap: 20 * 2 ** 20,
    directoryOffset: 64,
    directorySize: 20 * 2 ** 20,
  });
  await Deno.writeFile(path, bytes);
  const read = await bytesRead(() =>
    assertRejects(() => PytorchFile.open(path), CheckpointError, "at most 16777216 are read")
  );
  assert(read < 2 ** 20, `${read} bytes were read`);
  await Deno.remove(path);
});

Deno.test("Names of folders are no files", async () => {
  using file = await PytorchFile.fromBytes(
    torchZip(pickle(op.dict()), {}, { more: [{ name: "m/data/", data: nothing }] }),
  );
  assertEquals(file.names, []);
});
