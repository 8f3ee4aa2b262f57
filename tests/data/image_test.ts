import { assertEquals, assertThrows } from "@std/assert";
import { floatToImage, imageToFloat } from "../../src/data/mod.ts";

const everyByte = {
  width: 256,
  height: 1,
  data: Uint8Array.from({ length: 768 }, (_, i) => Math.floor(i / 3)),
};

Deno.test("imageToFloat divides in float32, then adds x to x and takes one away", () => {
  const values = imageToFloat(everyByte);
  for (let byte = 0; byte < 256; byte++) {
    const x = Math.fround(byte / 255);
    assertEquals(values[byte * 3], Math.fround(Math.fround(x + x) - 1));
  }
  assertEquals([values[0], values[767]], [-1, 1]);
});

Deno.test("imageToFloat fills the memory it is given, and only memory that fits", () => {
  const into = new Float32Array(768);
  assertEquals(imageToFloat(everyByte, into), into);
  assertEquals(into[767], 1);
  assertThrows(() => imageToFloat(everyByte, new Float32Array(767)), RangeError, "expected 768");
});

Deno.test("floatToImage undoes imageToFloat for every byte", () => {
  assertEquals(floatToImage(imageToFloat(everyByte), 256, 1), everyByte);
});

Deno.test("floatToImage clamps and rounds", () => {
  const level = (byte: number) => byte / 127.5 - 1;
  const values = [-3, 7, level(9.4), level(9.6), 0, NaN, Infinity, -Infinity, 1];
  const { data } = floatToImage(new Float32Array(values), 3, 1);
  assertEquals([...data], [0, 255, 9, 10, 128, 0, 255, 0, 255]);
  assertThrows(() => floatToImage(new Float32Array(9), 2, 1), RangeError, "expected 2×1×3");
});
