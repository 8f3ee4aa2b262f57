import { broadcastShape } from "./elementwise.ts";
import { filled, type NDArray, sizeOf } from "./ndarray.ts";

export interface MatmulOptions {
  /** a is stored as [..., K, M]. */
  transposeA?: boolean;
  /** b is stored as [..., N, K]. */
  transposeB?: boolean;
}

/** [..., M, K] times [..., K, N]; leading axes broadcast, so a rank-2 b is shared by all of a's. */
export function matmul(a: NDArray, b: NDArray, options: MatmulOptions = {}): NDArray {
  const { transposeA = false, transposeB = false } = options;
  const [aRows, aColumns] = a.shape.slice(-2);
  const [bRows, bColumns] = b.shape.slice(-2);
  const [m, k] = transposeA ? [aColumns, aRows] : [aRows, aColumns];
  const [kOfB, n] = transposeB ? [bColumns, bRows] : [bRows, bColumns];
  if (k !== kOfB) throw new RangeError(`matmul: inner extents ${k} and ${kOfB} differ`);
  const batch = broadcastShape(a.shape.slice(0, -2), b.shape.slice(0, -2));
  const y = filled([...batch, m, n], 0);
  for (let z = 0; z < sizeOf(batch); z++) {
    const aStart = batchOffset(z, batch, a.shape);
    const bStart = batchOffset(z, batch, b.shape);
    for (let row = 0; row < m; row++) {
      for (let column = 0; column < n; column++) {
        let total = 0;
        for (let i = 0; i < k; i++) {
          const left = transposeA ? i * m + row : row * k + i;
          const right = transposeB ? column * k + i : i * n + column;
          total += a.data[aStart + left] * b.data[bStart + right];
        }
        y.data[(z * m + row) * n + column] = total;
      }
    }
  }
  return y;
}

/** Where the matrix of an operand begins that takes part in batch entry `z` of the output. */
function batchOffset(z: number, batch: readonly number[], shape: readonly number[]): number {
  const own = shape.slice(0, -2);
  let offset = 0;
  let stride = sizeOf(shape.slice(-2));
  let rest = z;
  for (let axis = batch.length - 1; axis >= 0; axis--) {
    const index = rest % batch[axis];
    rest = Math.floor(rest / batch[axis]);
    const extent = own[axis - batch.length + own.length] ?? 1;
    if (extent > 1) offset += index * stride;
    stride *= extent;
  }
  return offset;
}
