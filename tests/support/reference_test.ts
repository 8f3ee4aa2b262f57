import { assertEquals } from "@std/assert";
import { assertClose, assertSame } from "./compare.ts";
import { dot, slopes } from "./finite_differences.ts";
import { blockCase, caseCount, caseNames, type OpCase, opCases, valueCase } from "./fixtures.ts";
import * as ref from "./reference.ts";
import type { NDArray } from "./reference.ts";
import { type ReferenceOp, referenceOps } from "./reference_ops.ts";

// The fixtures are float64 results rounded to float32, so nothing but that rounding is allowed for.
const ROUNDING = 2e-7;
// Central differences add about 1e-10 for the step and 1e-11 for the float64 rounding.
const DIFFERENCES = 1e-6;

function checkOp(op: ReferenceOp, { name, inputs, options, ...torch }: OpCase): void {
  const parameters = options as Record<string, never>;
  const output = op(inputs, parameters);
  assertClose(output, torch.output, { name: `${name}: output`, relative: ROUNDING });
  inputs.forEach((x, i) => {
    const gradient = torch.gradients[i];
    if (!gradient) return;
    const weighted = (moved: NDArray): number =>
      dot(op(inputs.with(i, moved), parameters).data, torch.cotangent.data);
    const found = slopes(weighted, x, Array.from(x.data.keys()));
    assertClose(found, gradient, { name: `${name}: gradient ${i}`, relative: DIFFERENCES });
  });
}

for (const [name, op] of Object.entries(referenceOps)) {
  Deno.test(`reference ${name} agrees with PyTorch, values and gradients`, async () => {
    for (const found of await opCases(name)) checkOp(op, found);
  });
}

Deno.test("every fixture is used", () => {
  const used = [
    ...Object.keys(referenceOps),
    "resblock",
    "attentionBlock",
    "adamw",
    "maxPool2dTies",
  ];
  assertEquals(caseNames().toSorted(), used.toSorted());
});

Deno.test("reference scatterAdd agrees with PyTorch's gradient of gather", async () => {
  for (const { name, inputs: [table, indices], cotangent, gradients } of await opCases("gather")) {
    const found = ref.scatterAdd(cotangent, indices, table.shape[0]);
    assertClose(found, gradients[0]!, { name, relative: ROUNDING });
  }
});

Deno.test("reference argmax takes the lowest index of a tie", () => {
  const x = ref.nd([2, 4], [1, 3, 3, 0, 2, 2, 2, 2]);
  assertSame(ref.argmax(x), ref.nd([2], [1, 0]));
  assertSame(ref.argmax(x, { axis: 0, keepDims: true }), ref.nd([1, 4], [1, 0, 0, 1]));
});

Deno.test("reference min is the negated max of the negated input", () => {
  const x = ref.nd([2, 3], [1, -3, 3, 0, 2, -2]);
  assertSame(ref.min(x, { axes: [1] }), ref.neg(ref.max(ref.neg(x), { axes: [-1] })));
});

Deno.test("reference circular padding wraps more than once around", () => {
  const x = ref.nd([1, 2, 1], [1, 10]);
  const weight = ref.filled([7, 1, 1], 1);
  const y = ref.conv1d(x, weight, null, { padding: 3, paddingMode: "circular" });
  assertSame(y, ref.nd([1, 2, 1], [10 * 4 + 3, 4 + 10 * 3]));
});

Deno.test("reference composes to the VAE's residual block", async () => {
  for (let i = 0; i < caseCount("resblock"); i++) {
    const { name, inputs: p, options, output } = await blockCase("resblock", i);
    const norm = options as { groups: number; eps: number };
    const first = ref.silu(ref.groupNorm(p.x, p["norm1.weight"], p["norm1.bias"], norm));
    const h = ref.conv2d(first, p["conv1.weight"], p["conv1.bias"], { padding: 1 });
    const second = ref.silu(ref.groupNorm(h, p["norm2.weight"], p["norm2.bias"], norm));
    const y = ref.conv2d(second, p["conv2.weight"], p["conv2.bias"], { padding: 1 });
    const weight = p["nin_shortcut.weight"];
    const straight = weight ? ref.conv2d(p.x, weight, p["nin_shortcut.bias"]) : p.x;
    assertClose(ref.add(straight, y), output, { name, relative: ROUNDING });
  }
});

Deno.test("reference composes to the VAE's attention block", async () => {
  for (let i = 0; i < caseCount("attentionBlock"); i++) {
    const { name, inputs: p, options, output } = await blockCase("attentionBlock", i);
    const norm = options as { groups: number; eps: number };
    const h = ref.groupNorm(p.x, p["norm.weight"], p["norm.bias"], norm);
    const [n, height, width, channels] = p.x.shape;
    const project = (key: string): NDArray =>
      ref.reshape(ref.conv2d(h, p[`${key}.weight`], p[`${key}.bias`]), [
        n,
        height * width,
        channels,
      ]);
    const mixed = ref.attention(project("q"), project("k"), project("v"));
    const image = ref.reshape(mixed, p.x.shape);
    const y = ref.conv2d(image, p["proj_out.weight"], p["proj_out.bias"]);
    assertClose(ref.add(p.x, y), output, { name, relative: ROUNDING });
  }
});

Deno.test("reference AdamW, clipping and cosine agree with PyTorch", async () => {
  for (let i = 0; i < caseCount("adamw"); i++) {
    const { name, options, tensors } = await valueCase("adamw", i);
    const o = options as unknown as AdamWRun;
    let values = ["a", "b"].map((key) => tensors[`values/${key}/0`]);
    const states = values.map(ref.adamwState);
    for (let step = 1; step <= o.steps; step++) {
      const gradients = ["a", "b"].map((key) => tensors[`grads/${key}/${step}`]);
      const lr = ref.cosineRate(o.lr, step - 1, o.totalSteps);
      assertClose([lr, ref.globalNorm(gradients)], [
        o.learningRates[step - 1],
        o.gradientNorms[step - 1],
      ]);
      const clipped = ref.clipByGlobalNorm(gradients, o.clip);
      values = values.map((x, j) => ref.adamw(x, clipped[j], states[j], { ...o, lr }));
      ["a", "b"].forEach((key, j) =>
        assertClose(values[j], tensors[`values/${key}/${step}`], {
          name: `${name}: ${key} after step ${step}`,
          relative: ROUNDING,
        })
      );
    }
  }
});

interface AdamWRun {
  steps: number;
  lr: number;
  betas: [number, number];
  eps: number;
  weightDecay: number;
  clip: number;
  totalSteps: number;
  learningRates: number[];
  gradientNorms: number[];
}
