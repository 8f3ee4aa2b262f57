import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import {
  CheckpointError,
  openTensors,
  PytorchFile,
  SafetensorsFile,
} from "../../../src/checkpoint/mod.ts";
import { op, pickle, stateDict, storageOf } from "../../support/pickle.ts";
import { FOUR, torchLegacy, torchZip } from "../../support/torch_file.ts";

const FIXTURES = fromFileUrl(new URL("../../fixtures/pytorch", import.meta.url));
const files = [...Deno.readDirSync(FIXTURES)].map(({ name }) => name)
  .filter((name) => !name.endsWith(".safetensors")).sort();

for (const name of files) {
  Deno.test(`PytorchFile reads ${name} as PyTorch does`, async () => {
    using expected = await SafetensorsFile.open(join(FIXTURES, "expected.safetensors"));
    using file = await PytorchFile.open(join(FIXTURES, name));
    const all = expected.names.filter((key) => key.startsWith(`${name}/`));
    assertEquals(file.names.toSorted(), all.map((key) => key.slice(name.length + 1)).toSorted());
    for await (const { name: key, shape, data, dtype } of file.tensors()) {
      const info = expected.info(`${name}/${key}`);
      assertEquals(shape, info.shape, key);
      assertEquals(file.info(key).shape, info.shape, key);
      assertEquals(Array.from(data, Number), [...await expected.floats(`${name}/${key}`)], key);
      assertEquals(file.info(key).dtype, dtype);
    }
  });
}

Deno.test("PytorchFile tells dtypes, and bytes as they are in the file", async () => {
  using file = await PytorchFile.open(join(FIXTURES, "dtypes.pt"));
  const dtypes = file.names.slice(0, 10).map((name) => file.info(name).dtype);
  assertEquals(dtypes, ["f64", "f32", "f16", "bf16", "i64", "i32", "i16", "i8", "u8", "bool"]);
  const bytes = file.names.slice(0, 10).map((name) => file.info(name).bytes);
  assertEquals(bytes, [40, 20, 10, 10, 40, 20, 10, 5, 5, 5]);
  assertEquals((await file.tensor("int64")).data, new BigInt64Array([0n, 1n, 2n, 100n, 17n]));
  assertEquals((await file.tensor("bool")).data, new Uint8Array([0, 1, 1, 1, 1]));
  await assertRejects(() => file.floats("int16"), CheckpointError, "holds integers (I16)");
});

Deno.test("PytorchFile has the texts and numbers beside the weights", async () => {
  using file = await PytorchFile.open(join(FIXTURES, "training.bin"));
  assertEquals(file.metadata, {
    epoch: "3",
    lr: "0.0005",
    note: "größer",
    done: "true",
    large: String(2n ** 80n),
  });
  assertEquals(file.names[0], "model.0.weight");
});

Deno.test("PytorchFile reads many tensors at a time, from a file and from bytes", async () => {
  const path = join(FIXTURES, "views.pth");
  using opened = await PytorchFile.open(path);
  using held = await PytorchFile.fromBytes(await Deno.readFile(path));
  const names = Array.from({ length: 40 }, (_, i) => opened.names[i % opened.names.length]);
  const [a, b] = await Promise.all(
    [opened, held].map((file) => Promise.all(names.map((name) => file.tensor(name)))),
  );
  assertEquals(a, b);
});

Deno.test("PytorchFile looks at a file's tensors as SafetensorsFile does", async () => {
  using file = await PytorchFile.open(join(FIXTURES, "views.pth"));
  assertEquals([file.format, file.has("base"), file.has("toString")], ["pytorch", true, false]);
  assertEquals((await file.floats("rows", [2, 8])).length, 16);
  await assertRejects(() => file.floats("rows", [8, 2]), CheckpointError, "has shape [2, 8]");
  await assertRejects(() => file.tensor("toString"), CheckpointError, "is missing among");
});

Deno.test("openTensors knows PyTorch files of any name, by their first bytes", async () => {
  const folder = await Deno.makeTempDir();
  for (const name of ["views.pth", "views_legacy.pth"]) {
    const path = join(folder, "weights.safetensors");
    await Deno.copyFile(join(FIXTURES, name), path);
    using file = await openTensors(path);
    assertEquals([file.format, file.names.length], ["pytorch", 11]);
  }
  await Deno.remove(folder, { recursive: true });
});

Deno.test("PytorchFile says what is wrong with a path", async () => {
  const folder = await Deno.makeTempDir();
  const gone = join(folder, "gone.pth");
  await assertRejects(() => PytorchFile.open(gone), CheckpointError, `${gone}: there is no`);
  await assertRejects(() => PytorchFile.open(folder), CheckpointError, "is a folder");
  await Deno.remove(folder);
});

const plan = { shape: [2], strides: [1], offset: 1 };

Deno.test("PytorchFile reads zip64 archives and deflated ones", async () => {
  const variants = [
    torchZip(stateDict({ w: plan }), { 0: FOUR }, { zip64: true }),
    torchZip(stateDict({ w: plan }), { 0: FOUR }, { file: { deflate: true } }),
  ];
  for (const bytes of variants) {
    using file = await PytorchFile.fromBytes(bytes);
    assertEquals(await file.floats("w", [2]), new Float32Array([2, 3]));
  }
});

Deno.test("PytorchFile reads a part of a storage, as the first versions wrote it", async () => {
  const part = op.tuple(op.text("view"), op.int(2), op.int(2));
  const data = stateDict({ w: { ...plan, offset: 0, part }, all: { shape: [4], strides: [1] } });
  using file = await PytorchFile.fromBytes(torchLegacy(data));
  assertEquals(await file.floats("w"), new Float32Array([3, 4]));
  assertEquals(await file.floats("all"), new Float32Array([1, 2, 3, 4]));
});

Deno.test("PytorchFile reads a storage without a dtype, as the newest version writes it", async () => {
  const tensor = (dtype: string) =>
    op.call(
      "torch._utils",
      "_rebuild_tensor_v3",
      [
        ...op.tuple(
          op.text("storage"),
          op.global("torch.storage", "UntypedStorage"),
          op.text("0"),
          op.text("cpu"),
          op.int(16),
        ),
        ...op.persistent,
      ],
      op.int(2),
      op.tuple(op.int(2)),
      op.tuple(op.int(1)),
      [0x89],
      op.call("collections", "OrderedDict"),
      op.global("torch", dtype),
    );
  const data = pickle(op.dict(
    ...[op.text("u16"), tensor("uint16"), op.text("f8"), tensor("float8_e4m3fn")],
  ));
  using file = await PytorchFile.fromBytes(torchZip(data));
  assertEquals((await file.tensor("u16")).data, new Uint16Array([0, 0x4000]));
  assertEquals(file.info("f8"), { name: "f8", dtype: "f8_e4m3", shape: [2], bytes: 2 });
  await assertRejects(() => file.tensor("f8"), CheckpointError, "is stored as F8_E4M3");
});

Deno.test("PytorchFile reads what Python 2 and the first versions named", async () => {
  const short = (text: string) => [0x55, text.length, ...new TextEncoder().encode(text)];
  const data = pickle(
    op.call(
      "collections",
      "OrderedDict",
      op.list(op.list(
        short("w"),
        op.call(
          "torch._utils",
          "_rebuild_tensor",
          storageOf({}),
          op.int(0),
          op.tuple(op.int(4)),
          op.tuple(op.int(1)),
        ),
      )),
    ),
  );
  using file = await PytorchFile.fromBytes(torchLegacy(data));
  assertEquals(await file.floats("w"), new Float32Array([1, 2, 3, 4]));
});

Deno.test("Keys that mean something to JavaScript are names like others", async () => {
  const data = pickle(op.dict(
    op.text("__proto__"),
    op.dict(op.text("constructor"), op.text("polluted")),
    op.text("toString"),
    op.text("text"),
  ));
  using file = await PytorchFile.fromBytes(torchZip(data));
  assertEquals(Object.entries(file.metadata), [["toString", "text"]]);
  const flat = pickle(op.dict(op.text("__proto__"), op.text("own")));
  using other = await PytorchFile.fromBytes(torchZip(flat));
  assertEquals(Object.entries(other.metadata), [["__proto__", "own"]]);
  assertEquals("polluted" in {}, false);
});

Deno.test("PytorchFile names the file in what it says", async () => {
  const error = await assertRejects(
    () => PytorchFile.fromBytes(new TextEncoder().encode("<!DOCTYPE html>"), "vae.pth"),
    CheckpointError,
  );
  assertEquals(error.file, "vae.pth");
  assertStringIncludes(error.message, "vae.pth: is neither a zip archive nor a pickle");
});
