import { assertEquals } from "@std/assert";
import type { Gpu } from "../../../src/gpu/mod.ts";
import { add, affine, mul, slice, sum } from "../../../src/ops/mod.ts";
import { withKind } from "../../../src/ops/tile.ts";
import type { CodebookViews } from "../../../src/quantizer/assignment.ts";
import { ComposedAssigner } from "../../../src/quantizer/composed.ts";
import type { Path } from "../../../src/quantizer/path.ts";
import { StreamedAssigner } from "../../../src/quantizer/streaming/assigner.ts";
import { fromArray, gradients, normal, Random, type Tensor } from "../../../src/tensor/mod.ts";
import { assertClose, assertSame } from "../../support/compare.ts";
import { dot, slopes } from "../../support/finite_differences.ts";
import { flat, gpuTest } from "../../support/gpu.ts";
import { Random as TestRandom } from "../../support/random.ts";
import * as ref from "../../support/reference.ts";
import type { NDArray } from "../../support/reference.ts";

/** Assigns tokens, cut into scales of so many, on one path. */
function assign(path: Path, query: Tensor, views: CodebookViews, counts: readonly number[]) {
  const assigner = path === "streamed"
    ? new StreamedAssigner(views, counts)
    : new ComposedAssigner(views);
  let start = 0;
  const scales = counts.map((count) => {
    start += count;
    return assigner.assign(slice(query, [start - count], [start]));
  });
  return { scales, entropyLoss: assigner.entropyLoss() };
}

/** Σ w·soft, whose gradient ẑ passes to queries and keys, in float64. */
function softPath(q: NDArray, k: NDArray, v: NDArray, w: NDArray): number {
  const soft = ref.matmul(ref.softmax(ref.matmul(q, k, { transposeB: true })), v);
  return dot(soft.data, w.data);
}

/** H_sample − H_mean by SPEC section 3, in float64. */
function entropyLoss(q: NDArray, k: NDArray): number {
  const l = ref.map(ref.matmul(q, k, { transposeB: true }), (x) => x / 0.01);
  const logP = ref.logSoftmax(l);
  const p = ref.softmax(l);
  const tokens = q.shape[0];
  const mean = ref.mean(p, { axes: [0] });
  return -dot(p.data, logP.data) / tokens +
    dot(mean.data, ref.map(mean, (x) => Math.log(x + 1e-5)).data);
}

type Rows = { q: NDArray; k: NDArray; v: NDArray; w: NDArray };

/** Rows whose logits lie a few hundredths apart, so that both softmaxes are soft. */
function rows(tokens: number, codes: number, d: number, c: number, seed: number): Rows {
  const random = new TestRandom(seed);
  return {
    q: random.normal([tokens, d], 0, 0.15),
    k: random.normal([codes, d], 0, 0.15),
    v: random.normal([codes, c]),
    w: random.normal([tokens, c]),
  };
}

/** The gradients of queries, keys and values of Σ w·ẑ (times `soft`) plus the entropy loss (times `cold`). */
async function gradientsOf(gpu: Gpu, { q, k, v, w }: Rows, soft: boolean, cold: boolean) {
  const pending = (() => {
    using _scope = gpu.scope();
    const [query, keys, values] = [q, k, v].map((x) =>
      fromArray(gpu, ref.toF32(x), x.shape).requireGrad()
    );
    const { scales: [{ zHat, index }], entropyLoss } = assign(
      "streamed",
      query,
      { keys, values },
      [q.shape[0]],
    );
    const losses: Tensor[] = [];
    if (soft) losses.push(sum(mul(zHat, fromArray(gpu, ref.toF32(w), w.shape))));
    if (cold) losses.push(affine(entropyLoss, 1.5, 0));
    const found = gradients(losses.reduce(add), [query, keys, values]);
    return [entropyLoss.item(), index.readU32(), ...found.map((g) => g.readF32())] as const;
  })();
  const [entropy, index, dq, dk, dv] = await Promise.all(pending);
  return { entropy, index, dq, dk, dv };
}

/** The two entropies' gradients, of the order of 1, cancel where tokens are one or few. */
const FLOOR = 1;

function checkSlopes(
  name: string,
  x: NDArray,
  gradient: Float32Array,
  f: (x: NDArray) => number,
): void {
  const step = Math.max(1, Math.floor(x.data.length / 96));
  const offsets = [...x.data.keys()].filter((offset) => offset % step === 0);
  const expected = slopes(f, x, offsets, 1e-6);
  const found = offsets.map((offset) => gradient[offset]);
  assertClose(found, expected, { relative: 1e-4, floor: FLOOR, name });
}

async function checkGradients(gpu: Gpu, size: [number, number, number, number]): Promise<void> {
  const all = rows(...size, 7);
  const { q, k, v, w } = all;
  for (const [soft, cold] of [[true, true], [true, false], [false, true]]) {
    const name = `${size.join(" × ")}, ${soft ? "ẑ" : ""} ${cold ? "entropy" : ""}`;
    const found = await flat(gpu, () => gradientsOf(gpu, all, soft, cold));
    const value = (q: NDArray, k: NDArray) =>
      (soft ? softPath(q, k, v, w) : 0) + (cold ? 1.5 * entropyLoss(q, k) : 0);
    // a difference of two entropies of the order of 1
    assertClose([found.entropy], [entropyLoss(q, k)], { relative: 1e-5, floor: 1, name });
    checkSlopes(`${name}: queries`, q, found.dq, (q) => value(q, k));
    checkSlopes(`${name}: keys`, k, found.dk, (k) => value(q, k));
    const hard = new Float64Array(v.data.length);
    if (soft) {
      found.index.forEach((code, t) => {
        for (let c = 0; c < size[3]; c++) hard[code * size[3] + c] += w.data[t * size[3] + c];
      });
    }
    assertClose(found.dv, hard, { relative: 1e-6, name: `${name}: values` });
  }
}

const SIZES: [tokens: number, codes: number, d: number, c: number][] = [
  [1, 7, 8, 4],
  [5, 7, 8, 4],
  [150, 3, 8, 4],
  [9, 130, 32, 16],
  [9, 70, 16, 32],
];

gpuTest("gradients equal finite differences in float64", async (gpu) => {
  for (const size of SIZES) await checkGradients(gpu, size);
});

gpuTest("the kernels for real GPUs have the same gradients", async (gpu) => {
  await withKind("gpu", () => checkGradients(gpu, [9, 130, 32, 16]));
});

/** Of which scales ẑ and ẑ₂ are in the objective, or that it is the entropy loss. */
type Objective = "entropy" | ((scale: number) => boolean);

const ALL: Objective = () => true;

/** Everything an assignment gives, and the gradients of an objective of it. */
async function everything(
  gpu: Gpu,
  path: Path,
  counts: readonly number[],
  codes: number,
  objective: Objective,
) {
  const tokens = counts.reduce((total, count) => total + count);
  const pending = (() => {
    using _scope = gpu.scope();
    const [query, keys, values] = [[tokens, 32], [codes, 32], [codes, 16]].map((shape, i) =>
      affine(normal(gpu, shape, new Random(i + 1)), i === 2 ? 1 : 0.3, 0).requireGrad()
    );
    const { scales, entropyLoss } = assign(path, query, { keys, values }, counts);
    const latents = scales.map(({ zHat, hard }, scale) => {
      const w = normal(gpu, zHat.shape, new Random(9 + scale));
      return add(sum(mul(zHat, w)), sum(mul(hard, hard)));
    });
    const y = objective === "entropy"
      ? entropyLoss
      : latents.filter((_, i) => objective(i)).reduce(add);
    const found = gradients(y, [query, keys, values]);
    const zHats = scales.map(({ zHat }) => zHat.readF32());
    const numbers = [entropyLoss, ...found].map((t) => t.readF32());
    const indices = scales.map(({ index }) => index.readU32());
    return [Promise.all(indices), Promise.all(zHats), Promise.all(numbers)] as const;
  })();
  return { indices: await pending[0], zHats: await pending[1], numbers: await pending[2] };
}

async function comparePaths(
  gpu: Gpu,
  counts: readonly number[],
  codes: number,
  objective: Objective,
): Promise<void> {
  const expected = await everything(gpu, "composed", counts, codes, objective);
  const found = await everything(gpu, "streamed", counts, codes, objective);
  counts.forEach((_, i) => {
    assertSame(found.indices[i], expected.indices[i], `codes of scale ${i}`);
    assertSame(found.zHats[i], expected.zHats[i], `ẑ of scale ${i}`);
  });
  ["entropy loss", "queries", "keys", "values"].forEach((name, i) =>
    assertClose(found.numbers[i], expected.numbers[i], {
      relative: i === 0 || objective !== "entropy" ? TOLERANCE.latent : TOLERANCE.entropy,
      floor: FLOOR,
      name: `${name}, of ${objective}`,
    })
  );
}

/** Rounding of a logit is multiplied by 1/τ = 100 on its way into the entropies. */
const TOLERANCE = { latent: 1e-5, entropy: 1e-4 };

for (
  const [tokens, codes] of [[1, 7], [40, 512], [2240, 1000], [64, 16384], [2000, 16384], [2, 65536]]
) {
  gpuTest(`equals the composed version: ${tokens} tokens, V = ${codes}`, async (gpu) => {
    for (const objective of [ALL, "entropy"] as const) {
      await comparePaths(gpu, [tokens], codes, objective);
    }
  });
}

gpuTest("equals the composed version over several scales: V = 16384", async (gpu) => {
  for (const objective of [ALL, "entropy"] as const) {
    await comparePaths(gpu, [1, 4, 90], 16384, objective);
  }
});

const OBJECTIVES: Objective[] = [ALL, "entropy", (scale) => scale === 1, (scale) => scale !== 1];

for (const kind of ["cpu", "gpu"] as const) {
  gpuTest(`equals the composed version over several scales (${kind})`, async (gpu) => {
    await withKind(kind, async () => {
      for (const [counts, codes] of [[[1, 4, 9, 30], 7], [[1, 70, 3, 150], 1000]] as const) {
        for (const objective of OBJECTIVES) {
          await flat(gpu, () => comparePaths(gpu, counts, codes, objective));
        }
      }
    });
  });
}

gpuTest("gradients of some leaves, and of a second pass, are those of all", async (gpu) => {
  const found = await flat(gpu, () => {
    using _scope = gpu.scope();
    const leaves = [[14, 32], [300, 32], [300, 16]].map((shape, i) =>
      affine(normal(gpu, shape, new Random(i + 1)), 0.3, 0)
    );
    const [query, keys, values] = leaves;
    const lossOf = (wanted: Tensor[]) => {
      for (const leaf of leaves) leaf.requireGrad(wanted.includes(leaf));
      const { scales, entropyLoss } = assign("streamed", query, { keys, values }, [1, 4, 9]);
      return add(scales.map(({ zHat }) => sum(mul(zHat, zHat))).reduce(add), entropyLoss);
    };
    const loss = lossOf(leaves);
    const both = [gradients(loss, leaves, { retain: true }), gradients(loss, leaves)];
    const each = leaves.map((leaf) => gradients(lossOf([leaf]), [leaf])[0]);
    return Promise.all([...both, each].map((all) => Promise.all(all.map((g) => g.readF32()))));
  });
  const [all, again, each] = found;
  all.forEach((gradient, i) => {
    assertSame(again[i], gradient, `second pass, leaf ${i}`);
    assertSame(each[i], gradient, `leaf ${i} alone`);
  });
});

gpuTest("the same input gives the same bits", async (gpu) => {
  assertEquals(
    await everything(gpu, "streamed", [1, 49], 3000, "entropy"),
    await everything(gpu, "streamed", [1, 49], 3000, "entropy"),
  );
});

gpuTest("memory is of the order of tokens + V, forward and backward", async (gpu) => {
  const [tokens, codes] = [1024, 16384];
  const before = gpu.memory.live;
  gpu.resetPeak();
  await flat(gpu, () => everything(gpu, "streamed", [tokens], codes, ALL));
  const rowsOfBoth = 4 * (tokens + codes) * (32 + 16);
  const used = gpu.memory.peak - before;
  // far less than the logits' 64 MiB: inputs, gradients, and what waits to be added up
  assertEquals(used < 7 * rowsOfBoth, true, `${used} bytes, ${used / rowsOfBoth} times the rows`);
});
