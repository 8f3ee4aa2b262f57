import { assertEquals, assertNotEquals } from "@std/assert";
import { createHash } from "node:crypto";
import { modelId } from "../../src/checkpoint/model_id.ts";
import { SafetensorsFile } from "../../src/checkpoint/safetensors.ts";
import type { FloatTensor } from "../../src/checkpoint/source.ts";
import { encodeSafetensors } from "../../src/checkpoint/safetensors_write.ts";

const b = { name: "b", shape: [2], data: new Float32Array([1, -0.5]) };
const a = { name: "a.weight", shape: [1, 1], data: new Float32Array([3]) };

Deno.test("modelId is the hash that its documentation describes", async () => {
  const sha256 = (data: string | Uint8Array) => createHash("sha256").update(data).digest("hex");
  const bytes = (values: Float32Array) => new Uint8Array(values.buffer);
  const text = `"a.weight" [1,1] ${sha256(bytes(a.data))}\n"b" [2] ${sha256(bytes(b.data))}\n`;
  assertEquals(await modelId([b, a]), sha256(text));
});

Deno.test("modelId is the same for an f16 file and its float32 copy, in any order", async () => {
  const idOf = async (dtype: "f16" | "f32") => {
    using file = SafetensorsFile.fromBytes(encodeSafetensors([b, a], { dtype }));
    return await modelId(file.tensors() as AsyncIterable<FloatTensor>);
  };
  assertEquals(await idOf("f16"), await modelId([a, b]));
  assertEquals(await idOf("f32"), await modelId([b, a]));
});

Deno.test("modelId changes with a name, a shape and a value", async () => {
  const ids = await Promise.all([
    modelId([a, b]),
    modelId([a]),
    modelId([a, { ...b, name: "c" }]),
    modelId([a, { ...b, shape: [2, 1] }]),
    modelId([a, { ...b, data: new Float32Array([1, -0.50001]) }]),
  ]);
  ids.forEach((id, i) => ids.slice(0, i).forEach((other) => assertNotEquals(id, other)));
});
