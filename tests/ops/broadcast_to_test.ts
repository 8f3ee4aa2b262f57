import { assertThrows } from "@std/assert";
import { broadcastTo } from "../../src/ops/mod.ts";
import { full, ShapeError } from "../../src/tensor/mod.ts";
import { gpuTest } from "../support/gpu.ts";
import { gradcheck } from "../support/gradcheck.ts";
import { Random } from "../support/random.ts";
import * as reference from "../support/reference.ts";

gpuTest("broadcastTo: float64 and finite differences", async () => {
  const cases: [from: number[], to: number[]][] = [
    [[], [3]],
    [[1], [7]],
    [[5], [3, 5]],
    [[8], [2, 3, 8]],
    [[3, 1], [3, 7]],
    [[2, 1, 4], [2, 5, 4]],
    [[3, 1, 5, 1], [2, 3, 2, 5, 4]],
    [[3, 5], [3, 5]],
  ];
  for (const [from, to] of cases) {
    await gradcheck({
      name: `broadcastTo [${from}] to [${to}]`,
      inputs: [new Random(1).normal(from)],
      op: ([x]) => broadcastTo(x, to),
      reference: ([x]) => reference.broadcastTo(x, to),
    });
  }
});

gpuTest("broadcastTo: what does not fit is refused", (gpu) => {
  using _scope = gpu.scope();
  const x = full(gpu, [2, 3], 1);
  assertThrows(() => broadcastTo(x, [3, 2]), ShapeError, "do not broadcast");
  assertThrows(() => broadcastTo(x, [1, 3]), ShapeError, "larger than [1, 3]");
  assertThrows(() => broadcastTo(x, [3]), ShapeError, "larger than [3]");
});
