import { noGrad, record, type Tensor } from "../tensor/mod.ts";
import type { AttentionSettings } from "./attention_fused.ts";
import { matmul } from "./matmul.ts";
import { permute } from "./permute.ts";
import { reshape } from "./reshape.ts";
import { softmax, softmaxGradient } from "./softmax.ts";
import { affine } from "./unary.ts";

/** Attention as products of whole matrices, which hold the scores of all pairs while they run. */
export function attentionByProducts(
  q: Tensor,
  k: Tensor,
  v: Tensor,
  settings: AttentionSettings,
): Tensor {
  using scope = q.gpu.scope();
  const y = noGrad(() => {
    const [queries, keys, values] = [q, k, v].map((x) => headsFirst(x, settings));
    const p = probabilities(queries, keys, settings);
    return reshape(permute(matmul(p, values), [0, 2, 1, 3]), q.shape);
  });
  return record("attention", {
    inputs: [q, k, v],
    output: scope.keep(y),
    saved: [q, k, v],
    backward: (dy, saved, needs) => gradientsByProducts(dy, saved, needs, settings),
  });
}

/** `[B, T, C]` or `[B, T, heads, D]` as `[B, heads, T, D]`. */
function headsFirst(x: Tensor, { heads, channels }: AttentionSettings): Tensor {
  return permute(reshape(x, [x.shape[0], x.shape[1], heads, channels]), [0, 2, 1, 3]);
}

function probabilities(queries: Tensor, keys: Tensor, { scale }: AttentionSettings): Tensor {
  return softmax(matmul(affine(queries, scale, 0), keys, { transposeB: true }));
}

/** Dao et al. 2022, appendix B.2, on whole matrices; the probabilities are computed again. */
function gradientsByProducts(
  dy: Tensor,
  saved: readonly Tensor[],
  [needsQ, needsK, needsV]: readonly boolean[],
  settings: AttentionSettings,
): (Tensor | null)[] {
  const [q, k, v, dOut] = [...saved, dy].map((x) => headsFirst(x, settings));
  const p = probabilities(q, k, settings);
  const back = (x: Tensor, like: Tensor) => reshape(permute(x, [0, 2, 1, 3]), like.shape);
  const dv = needsV ? back(matmul(p, dOut, { transposeA: true }), saved[2]) : null;
  if (!needsQ && !needsK) return [null, null, dv];
  const dScores = softmaxGradient(p, matmul(dOut, v, { transposeB: true }));
  const scaled = affine(dScores, settings.scale, 0);
  const dq = needsQ ? back(matmul(scaled, k), saved[0]) : null;
  const dk = needsK ? back(matmul(scaled, q, { transposeA: true }), saved[1]) : null;
  return [dq, dk, dv];
}
