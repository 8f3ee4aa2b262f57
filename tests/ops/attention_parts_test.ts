import { attentionToSome, joinAttention, joinedAttention } from "../../src/ops/attention_parts.ts";
import { slice } from "../../src/ops/mod.ts";
import { fromArray } from "../../src/tensor/mod.ts";
import { assertTensorClose } from "../support/compare.ts";
import { flat, gpuTest } from "../support/gpu.ts";
import { Random } from "../support/random.ts";
import * as reference from "../support/reference.ts";
import { type NDArray, toF32 } from "../support/reference.ts";

/** [1, T, C] as the [1, 1, T, C] of the reference. */
const withHead = (x: NDArray): NDArray => reference.reshape(x, [1, ...x.shape]);

for (const [tokens, keys, channels] of [[1, 2, 4], [7, 35, 8], [40, 33, 6], [5, 100, 33]]) {
  gpuTest(`${tokens} tokens attend to ${keys} keys in parts: float64`, async (gpu) => {
    const random = new Random(keys);
    // The largest score may lie in any part, and by so much that the others vanish.
    const values = [tokens, keys, keys].map((n) => random.normal([1, n, channels], 0, 4));
    const expected = reference.attention(...values.map(withHead) as [NDArray, NDArray, NDArray]);
    await flat(gpu, async () => {
      using _scope = gpu.scope();
      const [q, k, v] = values.map((x) => fromArray(gpu, toF32(x), x.shape));
      const cuts = [0, 1, Math.ceil(keys / 2), keys].filter((cut, i, all) =>
        cut > (all[i - 1] ?? -1)
      );
      const parts = cuts.slice(1).map((to, i) => {
        const [some, theirs] = [k, v].map((x) => slice(x, [0, cuts[i]], [1, to]));
        return attentionToSome(q, some, theirs);
      });
      const y = joinedAttention(parts.reduce(joinAttention));
      const whole = reference.reshape(expected, [1, tokens, channels]);
      await assertTensorClose(y, whole, { relative: 1e-5 });
    });
  });
}
