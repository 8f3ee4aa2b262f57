import { affine, argmax, concat, matmul, reshape, slice, square, sum } from "../ops/mod.ts";
import { full, noGrad, type Tensor, zeros } from "../tensor/mod.ts";
import { canStream } from "./path.ts";
import type { EncodedScale } from "./quantizer.ts";
import { search, searchWithMargins } from "./streaming/search.ts";

/** Logits that are in memory at once where rows are too wide to stream. */
const LOGITS_AT_ONCE = 2 ** 22;

/**
 * Finds the code nearest to each latent by L2. As ‖z − e‖² = ‖z‖² − 2·(z·e − ‖e‖²/2), it is that of the
 * largest `z·e − ‖e‖²/2`: a product of rows that are one channel longer, (z, 1) and (e, −‖e‖²/2), so that
 * the search streams over the codebook as that of CODA's logits does, up to 31 channels. No gradients
 * flow. A tie goes to the lowest index.
 */
export class NearestCodes {
  #codebook: Tensor;
  #halfNorms: Tensor;
  #keys: Tensor | undefined;

  /** @param codebook [V, c]; its norms are taken once, for all scales. */
  constructor(codebook: Tensor) {
    const width = widthOf(codebook);
    this.#codebook = codebook;
    this.#halfNorms = noGrad(() => affine(sum(square(codebook), { axes: [1] }), -0.5, 0));
    this.#keys = canStream(width) ? lengthened(codebook, this.#halfNorms, width) : undefined;
  }

  /** The codes of latents [..., c]: u32 [...]. */
  find(z: Tensor): Tensor {
    return this.#keys ? search(queriesOf(z), this.#keys).index : this.#findInBlocks(z);
  }

  /** The same, with how far the second largest `z·e − ‖e‖²/2` lies below the largest, and that of the code given. */
  findWithMargins(z: Tensor, given?: Tensor): EncodedScale {
    if (this.#keys) {
      const { largest: _, ...found } = searchWithMargins(queriesOf(z), this.#keys, given);
      return found;
    }
    throw new RangeError(
      `encodeWithMargins: a latent has ${this.#codebook.shape[1]} channels, expected up to 31`,
    );
  }

  #findInBlocks(z: Tensor): Tensor {
    using scope = z.gpu.scope();
    const [codes, channels] = this.#codebook.shape;
    const rows = noGrad(() => reshape(z, [z.size / channels, channels]));
    const block = Math.max(1, Math.floor(LOGITS_AT_ONCE / codes));
    const found: Tensor[] = [];
    for (let start = 0; start < rows.shape[0]; start += block) {
      using step = z.gpu.scope();
      const end = Math.min(start + block, rows.shape[0]);
      const logits = noGrad(() =>
        matmul(slice(rows, [start], [end]), this.#codebook, {
          transposeB: true,
          bias: this.#halfNorms,
        })
      );
      found.push(step.keep(argmax(logits)));
    }
    return scope.keep(reshape(concat(found, 0), z.shape.slice(0, -1)));
  }
}

/** Channels of a row with one more, filled up to whole vec4. */
function widthOf({ shape }: Tensor): number {
  return 4 * Math.ceil((shape.at(-1)! + 1) / 4);
}

function queriesOf(z: Tensor): Tensor {
  return lengthened(z, full(z.gpu, z.shape.slice(0, -1), 1), widthOf(z));
}

/** Rows with one more channel, the rest up to `width` zeros. */
function lengthened(rows: Tensor, last: Tensor, width: number): Tensor {
  const { gpu } = rows;
  using scope = gpu.scope();
  const outer = rows.shape.slice(0, -1);
  const rest = width - rows.shape.at(-1)! - 1;
  const parts = [rows, noGrad(() => reshape(last, [...outer, 1]))];
  if (rest > 0) parts.push(zeros(gpu, [...outer, rest]));
  return scope.keep(noGrad(() => concat(parts, -1)));
}
