import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { join } from "@std/path";
import { dtypesFor, type TensorData } from "../../src/checkpoint/dtype.ts";
import { CheckpointError, WriteError } from "../../src/checkpoint/errors.ts";
import { SafetensorsFile } from "../../src/checkpoint/safetensors.ts";
import {
  encodeSafetensors,
  type TensorToStore,
  writeSafetensors,
} from "../../src/checkpoint/safetensors_write.ts";

const weights: TensorToStore[] = [
  { name: "mask", shape: [3], data: new Uint8Array([1, 0, 1]), dtype: "bool" },
  { name: "conv.weight", shape: [1, 3], data: new Float32Array([1, -2.5, 1e-3]) },
  { name: "conv.bias", shape: [], data: new Float32Array([7]) },
  { name: "step", shape: [1], data: new BigInt64Array([-5n]) },
  { name: "count", shape: [2], data: new Int32Array([-1, 9]) },
];

interface HeaderJson {
  dtype: string;
  data_offsets: [number, number];
}

/** A file's header as text, and its data. */
function parse(bytes: Uint8Array): { header: string; data: Uint8Array } {
  const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
  const header = new TextDecoder().decode(bytes.subarray(8, 8 + length));
  return { header, data: bytes.subarray(8 + length) };
}

Deno.test("encodeSafetensors writes this header and these bytes", () => {
  const { header, data } = parse(encodeSafetensors(weights, { metadata: { z: "1", a: "é\n" } }));
  assertEquals(
    header.trimEnd(),
    '{"__metadata__":{"a":"é\\n","z":"1"},' +
      '"step":{"dtype":"I64","shape":[1],"data_offsets":[0,8]},' +
      '"conv.bias":{"dtype":"F32","shape":[],"data_offsets":[8,12]},' +
      '"conv.weight":{"dtype":"F32","shape":[1,3],"data_offsets":[12,24]},' +
      '"count":{"dtype":"I32","shape":[2],"data_offsets":[24,32]},' +
      '"mask":{"dtype":"BOOL","shape":[3],"data_offsets":[32,35]}}',
  );
  assertEquals([...data.subarray(0, 12)], [251, 255, 255, 255, 255, 255, 255, 255, 0, 0, 224, 64]);
  assertEquals([...data.subarray(32)], [1, 0, 1]);
});

Deno.test("encodeSafetensors begins the data at a multiple of 8 bytes, each tensor at its own", () => {
  const widths: Record<string, number> = { I64: 8, F32: 4, I32: 4, BF16: 2, BOOL: 1 };
  const half: TensorToStore = { ...weights[1], name: "half", dtype: "bf16" };
  for (let extra = 0; extra < 9; extra++) {
    const bytes = encodeSafetensors([...weights, half], { metadata: { k: "x".repeat(extra) } });
    const { header, data } = parse(bytes);
    assertEquals((bytes.length - data.length) % 8, 0);
    const { __metadata__: _, ...entries } = JSON.parse(header);
    for (const [name, { dtype, data_offsets }] of Object.entries<HeaderJson>(entries)) {
      assertEquals(data_offsets[0] % widths[dtype], 0, name);
    }
  }
});

Deno.test("encodeSafetensors gives equal bytes for equal contents, in any order", () => {
  const bytes = encodeSafetensors(weights, { metadata: { a: "1", b: "2" } });
  const other = encodeSafetensors(weights.toReversed(), { metadata: { b: "2", a: "1" } });
  assertEquals(other, bytes);
});

Deno.test("what is written is read back, also from a view into a larger buffer", async () => {
  const larger = new Float32Array([9, 1, 2, 3, 9]).subarray(1, 4);
  for (const dtype of [undefined, "f16", "bf16"] as const) {
    const bytes = encodeSafetensors(
      [...weights, { name: "view", shape: [3], data: larger }],
      { dtype },
    );
    using file = SafetensorsFile.fromBytes(bytes);
    assertEquals(await file.floats("view", [3]), new Float32Array([1, 2, 3]));
    assertEquals(file.info("view").dtype, dtype ?? "f32");
    assertEquals((await file.tensor("step")).data, new BigInt64Array([-5n]));
    assertEquals((await file.tensor("count")).data, new Int32Array([-1, 9]));
    assertEquals((await file.tensor("mask")).dtype, "bool");
  }
});

Deno.test("a file read and written again has the same bytes", async () => {
  const bytes = encodeSafetensors(weights.map((t) => (
    t.name === "conv.weight" ? { ...t, dtype: "bf16" } : t
  )));
  using file = SafetensorsFile.fromBytes(bytes);
  assertEquals(encodeSafetensors(await Array.fromAsync(file.tensors())), bytes);
});

Deno.test("no tensors at all are a valid file", () => {
  const bytes = encodeSafetensors([]);
  assertEquals(bytes.length, 16);
  using file = SafetensorsFile.fromBytes(bytes);
  assertEquals(file.names, []);
});

Deno.test("encodeSafetensors refuses what it could not store faithfully", () => {
  const w = { name: "w", shape: [1], data: new Float32Array([70000]) };
  const refuse = (tensors: TensorToStore[], message: string, dtype?: "f16" | "bf16") =>
    assertThrows(() => encodeSafetensors(tensors, { dtype }), CheckpointError, message);
  refuse([w], 'tensor "w" holds 70000, which f16 cannot; store it as bf16 or f32', "f16");
  refuse([{ ...w, shape: [2] }], 'tensor "w" has 1 values, its shape [2] needs 2');
  refuse([{ ...w, shape: [-1, -1] }], "has the shape [-1, -1], expected whole");
  refuse([w, w], 'tensor "w" is given twice');
  refuse([{ ...w, dtype: "i32" }], "cannot be stored as i32");
  refuse([{ name: "n", shape: [1], data: new Int32Array(1), dtype: "f16" }], "cannot be stored");
  refuse([{ ...w, name: "__metadata__" }], "rename it");
  encodeSafetensors([w], { dtype: "bf16" });
});

Deno.test("writeSafetensors writes the same bytes to a file", async () => {
  const folder = await Deno.makeTempDir();
  const path = join(folder, "w.safetensors");
  await writeSafetensors(path, weights, { dtype: "f16" });
  assertEquals(await Deno.readFile(path), encodeSafetensors(weights, { dtype: "f16" }));
  await Deno.remove(folder, { recursive: true });
});

Deno.test("writeSafetensors makes tensors one at a time, and the same file", async () => {
  const folder = await Deno.makeTempDir();
  const path = join(folder, "w.safetensors");
  const seen: string[] = [];
  let open = 0;
  const lazy = weights.map(({ name, shape, data, dtype }) => ({
    name,
    shape,
    dtype: dtype ?? dtypesFor(data)[0],
    make: async () => {
      assertEquals(open++, 0, "two tensors were made at once");
      await Promise.resolve();
      return data;
    },
  }));
  const onTensor = (done: number, total: number) => {
    open--;
    seen.push(`${done}/${total}`);
  };
  await writeSafetensors(path, lazy, { onTensor, dtype: "bf16" });
  assertEquals(await Deno.readFile(path), encodeSafetensors(weights, { dtype: "bf16" }));
  assertEquals(seen, ["1/5", "2/5", "3/5", "4/5", "5/5"]);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("writeSafetensors keeps the old file when a tensor cannot be made as promised", async () => {
  const folder = await Deno.makeTempDir();
  const path = join(folder, "w.safetensors");
  await Deno.writeTextFile(path, "old");
  const refuse = async (make: () => Promise<TensorData>, message: string) => {
    const tensors = [{ name: "w", shape: [2], dtype: "f16" as const, make }];
    await assertRejects(() => writeSafetensors(path, tensors), Error, message);
    assertEquals(await Deno.readTextFile(path), "old");
    assertEquals(Array.from(Deno.readDirSync(folder), ({ name }) => name), ["w.safetensors"]);
  };
  await refuse(
    () => Promise.resolve(new Float32Array(3)),
    'tensor "w" has 3 values, its shape [2]',
  );
  await refuse(() => Promise.resolve(new Int32Array(2)), "cannot be stored as f16");
  await refuse(() => Promise.reject(new Error("cut short")), "cut short");
  await Deno.remove(folder, { recursive: true });
});

Deno.test("writeSafetensors leaves the old file and nothing else when it fails", async () => {
  const folder = await Deno.makeTempDir();
  const path = join(folder, "w.safetensors");
  await Deno.writeTextFile(path, "old");
  const late = [...weights, { name: "zz", shape: [1], data: new Float32Array([1e30]) }];
  await assertRejects(() => writeSafetensors(path, late, { dtype: "f16" }), CheckpointError, path);
  assertEquals(await Deno.readTextFile(path), "old");
  assertEquals(Array.from(Deno.readDirSync(folder), ({ name }) => name), ["w.safetensors"]);
  await assertRejects(() => writeSafetensors(join(path, "x"), weights), WriteError, path);
  await Deno.remove(folder, { recursive: true });
});
