import { assertEquals, assertThrows } from "@std/assert";
import { type Gpu, KernelError } from "../../src/gpu/mod.ts";
import { addAs } from "../../src/ops/binary.ts";
import { convolve } from "../../src/ops/convolve.ts";
import { withConvolution } from "../../src/ops/conv2d_algorithm.ts";
import {
  add,
  attention,
  bicubic,
  cast,
  concat,
  conv2d,
  fusedConv2d,
  type FusedConv2dOptions,
  groupNorm,
  matmul,
  nearest,
  pad,
  permute,
  slice,
  softmax,
} from "../../src/ops/mod.ts";
import { type Operand, product } from "../../src/ops/product.ts";
import { withTile } from "../../src/ops/tile.ts";
import { empty, fromArray, ShapeError, type Tensor, zeros } from "../../src/tensor/mod.ts";
import { flat, gpuTest } from "../support/gpu.ts";
import { Random } from "../support/random.ts";
import { toF32 } from "../support/reference.ts";

gpuTest("cast: rounds to the nearest, ties to even, and keeps what is not finite", async (gpu) => {
  const edge = [65504, 65519, 65520, -7e4, 2 ** -24, 2 ** -25, 1 + 2 ** -11, 1 + 3 * 2 ** -11];
  const values = new Float32Array([...edge, 1 / 3, Infinity, NaN]);
  using x = fromArray(gpu, values, [11]);
  using half = cast(x, "f16");
  using wide = cast(half, "f32");
  const expected = new Float32Array(new Float16Array(values));
  assertEquals(await wide.readF32(), expected);
  assertEquals(await half.read(), expected);
  assertEquals(half.storage.byteLength, 24);
});

gpuTest("a tensor of f16 takes floats, rounded, and refuses what it cannot hold", async (gpu) => {
  using x = empty(gpu, [3], "f16");
  x.write(new Float32Array([1 / 3, -2, 65519]));
  assertEquals(await x.read(), new Float32Array([0.333251953125, -2, 65504]));
  assertThrows(() => x.write(new Float32Array([0, 7e4, 0])), RangeError, "found 70000");
  assertThrows(() => x.requireGrad(), TypeError, "this one is f16");
});

/** An operation on tensors of which each may be f16. */
interface Case {
  name: string;
  shapes: number[][];
  /** Its result stored in f16 where that is `"f16"`. */
  op: (inputs: Tensor[], dtype: "f16" | "f32") => Tensor;
  /** The inputs that are f16; all by default. */
  halves?: number[];
  /** Whether it is one operation by Winograd's algorithm alone, and rounds between others without. */
  byWinograd?: boolean;
}

const spatial = (options: FusedConv2dOptions): Case["op"] => ([x, w, bias], dtype) =>
  fusedConv2d(x, w, bias, { padding: 1, ...options, dtype });

const operand = ({ storage }: Tensor): Operand => ({ storage, transposed: false, shared: false });

const cases: Case[] = [
  {
    name: "conv2d",
    shapes: [[2, 5, 7, 6], [3, 3, 6, 7], [7]],
    op: spatial({}),
    halves: [0, 1],
  },
  { name: "conv2d of f32", shapes: [[1, 4, 33, 3], [3, 3, 3, 20]], op: spatial({}), halves: [1] },
  {
    name: "conv2d, stride 2",
    shapes: [[1, 7, 36, 16], [3, 3, 16, 16], [16]],
    op: spatial({ stride: 2 }),
    halves: [0, 1],
  },
  {
    name: "conv2d by Winograd",
    shapes: [[1, 6, 9, 20], [3, 3, 20, 16], [16]],
    op: spatial({}),
    halves: [0, 1],
  },
  {
    name: "conv2d, 1×1",
    shapes: [[2, 3, 33, 20], [1, 1, 20, 17], [17]],
    op: spatial({ padding: 0 }),
    halves: [0, 1],
  },
  {
    name: "a large product",
    shapes: [[1, 64, 128], [1, 128, 132]],
    op: ([a, b], dtype) =>
      product(a.gpu, operand(a), operand(b), {
        batch: 1,
        m: 64,
        n: 132,
        k: 128,
        output: [64, 132],
        dtype,
      }),
  },
  {
    name: "fusedConv2d: norm and residual",
    shapes: [[1, 5, 6, 16], [3, 3, 16, 16], [16], [16], [16], [1, 5, 6, 16]],
    op: ([x, w, bias, gamma, beta, residual], dtype) =>
      fusedConv2d(x, w, bias, {
        padding: 1,
        norm: { gamma, beta, groups: 4, silu: true },
        residual,
        dtype,
      }),
    halves: [0, 1, 5],
    byWinograd: true,
  },
  {
    name: "fusedConv2d: double",
    shapes: [[1, 3, 5, 16], [3, 3, 16, 16], [16]],
    op: spatial({ double: true }),
    halves: [0, 1],
  },
  {
    name: "1×1 and residual",
    shapes: [[1, 3, 5, 6], [1, 1, 6, 7], [1, 3, 5, 7]],
    op: ([x, w, residual], dtype) => fusedConv2d(x, w, undefined, { residual, dtype }),
  },
  {
    name: "addAs",
    shapes: [[3, 7], [3, 7]],
    op: ([a, b], dtype) => addAs(dtype, a, b),
    halves: [0],
  },
];

for (const channels of [6, 8]) {
  cases.push({
    name: `groupNorm of ${channels} channels`,
    shapes: [[2, 33, channels], [channels], [channels]],
    op: ([x, gamma, beta]) => groupNorm(x, gamma, beta, { groups: 2, silu: true }),
    halves: [0],
  }, {
    name: `nearest of ${channels} channels`,
    shapes: [[1, 3, 5, channels]],
    op: ([x]) => nearest(x, { height: 7, width: 10 }),
  }, {
    name: `bicubic of ${channels} channels`,
    shapes: [[1, 3, 5, channels]],
    op: ([x]) => bicubic(x, { height: 7, width: 4 }),
  }, {
    name: `copies of ${channels} channels`,
    shapes: [[3, 5, channels]],
    op: ([x]) =>
      pad(concat([slice(x, [1]), permute(slice(x, [0, 0], [1]), [0, 1, 2])], 0), [[1, 0], [0, 3]]),
  });
}

for (const tile of ["registers", "wide", "shared64"] as const) {
  for (const algorithm of ["winograd", "direct"] as const) {
    gpuTest(
      `f16 is storage alone: ${tile}, ${algorithm}: results are those of f32, rounded`,
      (gpu) =>
        withTile(tile, () =>
          withConvolution(algorithm, async () => {
            for (const one of cases) {
              if (one.byWinograd && algorithm === "direct") continue;
              await flat(gpu, () => compare(gpu, one));
            }
          })),
    );
  }
}

/** Compares, to the bit, an operation on f16 with the same on the same values in f32. */
async function compare(
  gpu: Gpu,
  { name, shapes, op, halves = [...shapes.keys()] }: Case,
): Promise<void> {
  const random = new Random(7);
  const read = (() => {
    using _scope = gpu.scope();
    const whole = shapes.map((shape) => fromArray(gpu, toF32(random.normal(shape)), shape));
    const stored = whole.map((x, i) => halves.includes(i) ? cast(x, "f16") : x);
    const same = stored.map((x, i) => halves.includes(i) ? cast(x, "f32") : x);
    return [op(stored, "f16"), cast(op(same, "f32"), "f16")].map((y) => y.read());
  })();
  const [found, expected] = await Promise.all(read);
  assertEquals(found, expected, name);
}

gpuTest("what does not know f16 says so, and no kernel misreads it", (gpu) => {
  using _scope = gpu.scope();
  const x = zeros(gpu, [1, 4, 4], "f16");
  assertThrows(() => add(x, x), ShapeError, "add: a is f16, expected f32");
  assertThrows(() => matmul(x, x), ShapeError, "a is f16");
  assertThrows(() => softmax(x), ShapeError, "f16");
  assertThrows(() => attention(x, x, x), ShapeError, "f16");
  const image = zeros(gpu, [1, 4, 4, 4]);
  const bias = zeros(gpu, [4], "f16");
  const weight = zeros(gpu, [1, 1, 4, 4]);
  assertThrows(() => conv2d(image, weight, bias), ShapeError, "bias is f16");
  const geometry = {
    batch: 1,
    image: [4, 4],
    cin: 4,
    kernel: [1, 1],
    output: [4, 4],
    cout: 4,
    stride: 1,
    top: 0,
    left: 0,
  };
  assertThrows(
    () => convolve(image, weight, bias, geometry, "f32"),
    KernelError,
    'reads "bias" in 32 bits, found f16: cast it to f32',
  );
  weight.requireGrad();
  assertThrows(() => conv2d(image, weight, undefined, { dtype: "f16" }), TypeError, "through f16");
});
