import { assertEquals, assertThrows } from "@std/assert";
import { gridFor, KernelError } from "../../src/gpu/mod.ts";
import { halvedSource, parseKernel } from "../../src/gpu/kernel.ts";

const SOURCE = `
struct Params { rows: u32, eps: f32, offset: i32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>; // not y
@group(0) @binding(2) var<storage, read_write> y: array<vec4<f32>>;
@group(0) @binding(3) var<storage> z: array<u32>;
fn helper(i: u32) -> f32 { return x[i] + inner(i); }
fn inner(i: u32) -> f32 { if (i > 1u) { return 1.0; } return f32(z[i]); }
@compute @workgroup_size(64)
fn first(@builtin(global_invocation_id) id: vec3u) { y[id.x] = vec4f(helper(id.x)); }
@compute @workgroup_size(1)
fn second(@builtin(workgroup_id) group: vec3u) { y[group.x] = vec4f(params.eps).zzzz; }
`;

Deno.test("parameters and each entry's bindings are read from the source", () => {
  const kernel = parseKernel("fill", SOURCE);
  assertEquals(kernel.params, [
    { name: "rows", type: "u32" },
    { name: "eps", type: "f32" },
    { name: "offset", type: "i32" },
  ]);
  assertEquals(kernel.entries.get("first"), [
    { name: "x", binding: 1, writes: false },
    { name: "y", binding: 2, writes: true },
    { name: "z", binding: 3, writes: false },
  ]);
  assertEquals(kernel.entries.get("second"), [{ name: "y", binding: 2, writes: true }]);
  assertEquals([...kernel.entries.keys()], ["first", "second"]);
});

Deno.test("a parameter of another type, or no entry, is refused with the kernel's name", () => {
  const vector = SOURCE.replace("eps: f32", "eps: vec4<f32>");
  assertThrows(
    () => parseKernel("fill", vector),
    KernelError,
    "kernel fill: Params.eps is vec4<f32>",
  );
  assertThrows(() => parseKernel("fill", "fn f() {}"), KernelError, "no @compute function");
});

Deno.test("what an alias names can be stored in 16 bits, the rest stays as it is", () => {
  const source = `
alias X = f32;
alias Y = f32; // the result
@group(0) @binding(1) var<storage, read> x: array<vec4<X>>;
@group(0) @binding(2) var<storage, read_write> y: array<Y>;
@group(0) @binding(3) var<storage, read> z: array<vec4f>;
@compute @workgroup_size(1) fn f() { y[0] = Y(x[0].x + z[0].x); }
`;
  const kernel = parseKernel("fill", source);
  assertEquals(kernel.entries.get("f")?.map(({ name, alias }) => [name, alias]), [
    ["x", "X"],
    ["y", "Y"],
    ["z", undefined],
  ]);
  const expected = `enable f16;\n${source.replace("alias X = f32;", "alias X = f16;")}`;
  assertEquals(halvedSource(kernel, new Set(["X"])), expected);
});

Deno.test("a grid covers its invocations within WebGPU's limit per dimension", () => {
  assertEquals(gridFor(1, 64), [1, 1, 1]);
  assertEquals(gridFor(64 * 65535, 64), [65535, 1, 1]);
  const [x, y] = gridFor(64 * 65535 + 1, 64);
  assertEquals([x, y], [65535, 2]);
  assertEquals(gridFor(0, 64), [1, 1, 1]);
});
