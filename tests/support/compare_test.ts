import { assertThrows } from "@std/assert";
import { assertClose, assertSame, relativeError } from "./compare.ts";
import { filled, nd } from "./reference.ts";

Deno.test("assertClose accepts float32 rounding", () => {
  const x = nd([3], [0.1, -2 / 3, 1e4]);
  assertClose(Float32Array.from(x.data), x, { relative: 1e-7 });
});

Deno.test("assertClose names the worst coordinate and by how much it is off", () => {
  const expected = nd([2, 3], [1, 2, 3, 4, 5, 6]);
  assertThrows(
    () => assertClose([1, 2, 3, 4, 5.5, 6], expected, { name: "y" }),
    Error,
    "worst at [1, 1]: found 5.5, expected 5, off by 5.00e-1",
  );
});

Deno.test("assertClose finds one wrong element among a hundred thousand", () => {
  const expected = filled([100_000], 1);
  const actual = Float64Array.from(expected.data);
  actual[777] = 1.001;
  assertClose(actual, expected, { relative: 1e-5, absolute: 1 });
  assertThrows(() => assertClose(actual, expected, { relative: 1e-5 }), Error, "[777]");
});

Deno.test("assertClose refuses other shapes, lengths, NaN and infinities", () => {
  const x = nd([2], [1, 2]);
  assertThrows(() => assertClose(nd([2, 1], [1, 2]), x), Error, "shape [2,1], expected [2]");
  assertThrows(() => assertClose([1], x), Error, "1 elements, expected 2");
  assertThrows(() => assertClose([1, NaN], x), Error, "found NaN at [1]");
  assertThrows(() => assertClose(x, [1, NaN]), Error, "expected NaN");
  assertThrows(() => assertClose([Infinity, 2], x), Error, "found Infinity at [0]");
  assertClose([-Infinity, 2], nd([2], [-Infinity, 2]));
});

Deno.test("assertClose compares with zeros by the floor", () => {
  assertClose([1e-10, 0], filled([2], 0));
  assertThrows(() => assertClose([1e-3, 0], filled([2], 0)), Error, "‖b‖ = 0");
});

Deno.test("assertSame counts what differs", () => {
  assertSame([1, 2], [1, 2]);
  assertThrows(() => assertSame([1, 3, 3], [1, 2, 4]), Error, "2 of 3 differ, the first at [1]");
});

Deno.test("relativeError is the ratio of norms", () => {
  const error = relativeError([3, 5], [3, 4]);
  if (Math.abs(error - 0.2) > 1e-15) throw new Error(`found ${error}`);
});
