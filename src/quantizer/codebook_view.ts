import { add, slice } from "../ops/mod.ts";
import { stridesOf } from "../ops/broadcast.ts";
import { writeStrided } from "../ops/strided.ts";
import { empty, gradients, noGrad, record, type Tensor, withGrad } from "../tensor/mod.ts";

/**
 * Codes that are projected at a time: what that takes beside its result does not grow with the codebook.
 * Forward, little else is live, and each block costs the host and the adapter some dispatches.
 */
const BLOCK = { forward: 8192, backward: 2048 };

/** A function of rows, each for itself. */
export interface RowMap {
  /** [rows, c] → [rows, d]: no row of the result depends on another row. */
  forward(rows: Tensor): Tensor;
  /** The leaves that `forward` reads. */
  readonly parameters: readonly Tensor[];
}

/**
 * A map of the whole codebook [V, c], block of rows by block: the keys or the values of all codes. Only
 * the codebook and the map's parameters are saved; backward computes each block again, so that what lies
 * between the codebook and the result exists for one block at a time.
 */
export function codebookView(codebook: Tensor, map: RowMap): Tensor {
  return record("codebookView", {
    inputs: [codebook, ...map.parameters],
    output: noGrad(() => mapRows(codebook, map)),
    saved: [codebook, ...map.parameters],
    backward: (dy, [codebook], needs, [sum]) => gradientsOf(dy, codebook, map, needs, sum),
  });
}

function mapRows(x: Tensor, map: RowMap): Tensor {
  const [rows] = x.shape;
  using scope = x.gpu.scope();
  if (rows <= BLOCK.forward) return scope.keep(map.forward(x));
  let y: Tensor | undefined;
  for (let start = 0; start < rows; start += BLOCK.forward) {
    using step = x.gpu.scope();
    const part = map.forward(block(x, start, BLOCK.forward));
    y ??= scope.keep(step.keep(empty(x.gpu, [rows, part.shape[1]])));
    place(part, y, start);
  }
  return y!;
}

/** The gradients of the codebook, added to `sum` if it is there, and of the parameters. */
function gradientsOf(
  dy: Tensor,
  codebook: Tensor,
  map: RowMap,
  [needsCodebook, ...needs]: readonly boolean[],
  sum: Tensor | undefined,
): (Tensor | null)[] {
  const { gpu, shape } = codebook;
  const codebookGradient = needsCodebook ? sum ?? empty(gpu, shape) : null;
  const found: (Tensor | null)[] = needs.map(() => null);
  for (let start = 0; start < shape[0]; start += BLOCK.backward) {
    using scope = gpu.scope();
    const codes = block(codebook, start).requireGrad(needsCodebook);
    const y = withGrad(() => map.forward(codes));
    const wanted = [codes, ...map.parameters].filter((tensor, i) =>
      tensor === codes ? needsCodebook : needs[i - 1]
    );
    const parts = gradients(y, wanted, { seed: block(dy, start) });
    if (codebookGradient) {
      const part = parts.shift()!;
      place(sum ? add(block(sum, start), part) : part, codebookGradient, start);
    }
    needs.forEach((isNeeded, i) => {
      if (!isNeeded) return;
      const [part, before] = [parts.shift()!, found[i]];
      found[i] = scope.keep(before ? add(before, part) : part);
    });
  }
  return [codebookGradient, ...found];
}

/** The rows of the block that begins there. */
function block(x: Tensor, start: number, rows = BLOCK.backward): Tensor {
  return slice(x, [start], [Math.min(start + rows, x.shape[0])]);
}

/** Writes rows of `y` from `start` on. */
function place(part: Tensor, y: Tensor, start: number): void {
  const strides = stridesOf(y.shape);
  writeStrided("codebookView", part, y, strides, start * strides[0]);
}
