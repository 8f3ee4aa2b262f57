import { assertThrows } from "@std/assert";
import { pad, type Padding } from "../../src/ops/mod.ts";
import { fromArray, full, ShapeError } from "../../src/tensor/mod.ts";
import { assertSame } from "../support/compare.ts";
import { gpuTest } from "../support/gpu.ts";
import { gradcheck } from "../support/gradcheck.ts";
import { Random } from "../support/random.ts";
import * as reference from "../support/reference.ts";
import { build, type NDArray } from "../support/reference.ts";
import { torchcheck } from "../support/torchcheck.ts";

const cases: [shape: number[], padding: Padding][] = [
  [[3], [[1, 2]]],
  [[3, 5], [[0, 1], [2, 3]]],
  [[2, 3, 8], [[0, 0], [1, 2], [0, 0]]],
  [[2, 3, 8], [[1, 0], [0, 0], [4, 8]]],
  [[1, 2, 3, 5], [[0, 0], [0, 1], [0, 1], [0, 0]]],
  [[3, 5], [[0, 0], [0, 0]]],
];

function circular(x: NDArray, padding: Padding): NDArray {
  const shape = x.shape.map((length, axis) => length + padding[axis][0] + padding[axis][1]);
  return build(shape, (index) => {
    const source = index.map((position, axis) =>
      (position - padding[axis][0] + x.shape[axis]) % x.shape[axis]
    );
    return x.data[reference.ravel(source, x.shape)];
  });
}

gpuTest("pad: float64 and finite differences", async () => {
  for (const [shape, padding] of cases) {
    for (const value of [0, 0.5]) {
      await gradcheck({
        name: `pad [${shape}] by [${padding.join("; ")}] with ${value}`,
        inputs: [new Random(1).normal(shape)],
        op: ([x]) => pad(x, padding, { value }),
        reference: ([x]) => reference.pad(x, padding, value),
      });
    }
  }
});

gpuTest("pad: PyTorch's numbers", async () => {
  await torchcheck("pad", ([x], { padding, value }) => pad(x, padding, { value }));
});

gpuTest("pad: circular", async () => {
  const others: typeof cases = [[[5, 3], [[4, 4], [0, 0]]], [[2, 9, 3], [[0, 0], [9, 4], [0, 0]]]];
  for (const [shape, padding] of [...cases.slice(0, 3), cases[5], ...others]) {
    await gradcheck({
      name: `pad [${shape}] by [${padding.join("; ")}], circular`,
      inputs: [new Random(1).normal(shape)],
      op: ([x]) => pad(x, padding, { mode: "circular" }),
      reference: ([x]) => circular(x, padding),
    });
  }
});

gpuTest("pad: missing pairs, and integers", async (gpu) => {
  using x = fromArray(gpu, new Uint32Array([0x7f800001, 2, 3, 4]), [2, 2]);
  using y = pad(x, [[1, 0]]);
  assertSame(await y.readU32(), [0, 0, 0x7f800001, 2, 3, 4]);
});

gpuTest("pad: what does not fit is refused", (gpu) => {
  using _scope = gpu.scope();
  const x = full(gpu, [2, 3], 1);
  assertThrows(() => pad(x, [[0, 0], [0, 0], [1, 1]]), ShapeError, "3 pairs for [2, 3]");
  assertThrows(() => pad(x, [[-1, 0]]), RangeError, "-1 before");
  assertThrows(() => pad(x, [[0, 0.5]]), RangeError, "0.5 after");
  assertThrows(() => pad(x, [[3, 0]], { mode: "circular" }), RangeError, "at most its length 2");
  const indices = fromArray(gpu, new Uint32Array(3), [3]);
  assertThrows(() => pad(indices, [[1, 1]], { value: 1 }), ShapeError, "u32");
});
