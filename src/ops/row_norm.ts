import { defineKernel, gridFor } from "../gpu/mod.ts";
import { empty, record, type Tensor } from "../tensor/mod.ts";
import { columnSums } from "./column_sums.ts";
import { checkEps, checkPerChannel, checkRows } from "./norm_check.ts";
import { rowPlan } from "./rows.ts";

const kernel = defineKernel("row_norm");

/** Rows summed by one thread before the chunks' sums are joined. */
const CHUNK = 64;

/** Layer normalisation where there is a beta, else RMS normalisation. */
export function rowNorm(
  op: string,
  x: Tensor,
  gamma: Tensor,
  beta: Tensor | null,
  eps: number,
): Tensor {
  checkRows(op, x);
  checkPerChannel(op, "gamma", gamma, x);
  if (beta) checkPerChannel(op, "beta", beta, x);
  checkEps(op, eps);
  const { gpu } = x;
  const width = x.shape[x.rank - 1];
  const rows = x.size / width;
  const params = { rows, width, chunk: CHUNK, chunks: Math.ceil(rows / CHUNK), eps };
  const plan = rowPlan(gpu, rows, width);
  const constants = { ...plan.constants, CENTRED: Number(beta !== null) };
  using scope = gpu.scope();
  const y = scope.keep(empty(gpu, x.shape));
  const moments = empty(gpu, [rows, 2]);
  gpu.run(kernel, "forward", {
    bind: {
      input: x.storage,
      gamma: gamma.storage,
      beta: (beta ?? gamma).storage, // without CENTRED it is not read
      output: y.storage,
      moments_out: moments.storage,
    },
    params,
    constants,
    grid: plan.grid,
  });
  return record(op, {
    inputs: beta ? [x, gamma, beta] : [x, gamma],
    output: y,
    saved: [x, gamma, moments],
    backward: (dy, [x, gamma, moments], needs) => {
      const bind = { input: x.storage, cotangent: dy.storage, moments: moments.storage };
      let dx: Tensor | null = null;
      if (needs[0]) {
        dx = empty(gpu, x.shape);
        gpu.run(kernel, "input_grad", {
          bind: { ...bind, gamma: gamma.storage, output: dx.storage },
          params,
          constants,
          grid: plan.grid,
        });
      }
      if (!needs[1] && !needs[2]) return [dx, null, null];
      return [dx, ...parameterGradients(bind, params, gamma)];
    },
  });
}

/** The gradients of gamma and beta: sums over all rows, of chunks first. */
function parameterGradients(
  bind: { input: Tensor["storage"]; cotangent: Tensor["storage"]; moments: Tensor["storage"] },
  params: { rows: number; width: number; chunk: number; chunks: number; eps: number },
  { gpu }: Tensor,
): [Tensor, Tensor] {
  const { chunks, width } = params;
  const products = empty(gpu, [chunks, width]);
  const sums = empty(gpu, [chunks, width]);
  gpu.run(kernel, "param_sums", {
    bind: { ...bind, products: products.storage, sums: sums.storage },
    params,
    grid: gridFor(chunks * width, 64),
  });
  return columnSums(products, sums, { batches: 1, rows: chunks, columns: width });
}
