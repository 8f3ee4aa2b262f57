import { EigenvalueDecomposition, Matrix } from "ml-matrix";
import { commonLength, type Features } from "./features.ts";

/**
 * The Fréchet distance of two sets of images' features, each taken for normally distributed (Heusel et
 * al. 2017; SPEC section 7): `‖μ₁ − μ₂‖² + tr(C₁ + C₂ − 2·(C₁C₂)^½)` with unbiased covariances, in
 * float64. On the features of InceptionV3's last pooling it is the FID; on others it has another name.
 *
 * With C = AᵀA the last trace is the sum of the singular values of A₁A₂ᵀ, which is there also where
 * covariances have no full rank.
 *
 * @param found Features of one set, a row an image.
 * @param expected Features of the other.
 * @throws {RangeError} where a set has fewer than two images.
 * @throws {TypeError} where rows differ in length.
 *
 * @example
 * ```ts
 * import { frechetDistance } from "@coda/tokenizer";
 *
 * const rows = (...values: number[]) => values.map((value) => Float32Array.of(value));
 * console.assert(Math.abs(frechetDistance(rows(-1, 1), rows(2, 4)) - 9) < 1e-9);
 * ```
 */
export function frechetDistance(found: Features, expected: Features): number {
  commonLength("frechetDistance", [found, expected]);
  const [a, b] = [centred(found), centred(expected)];
  const means = a.mean.reduce((sum, value, i) => sum + (value - b.mean[i]) ** 2, 0);
  const traces = a.rows.norm() ** 2 + b.rows.norm() ** 2;
  const common = factor(a.rows).mmul(factor(b.rows).transpose());
  return means + traces - 2 * sumOfSingularValues(common);
}

/** The mean of the rows, and what they deviate from it, over √(n − 1): rowsᵀ·rows is the covariance. */
function centred(features: Features): { mean: Float64Array; rows: Matrix } {
  const mean = new Float64Array(features[0].length);
  for (const row of features) row.forEach((value, i) => mean[i] += value / features.length);
  const scale = 1 / Math.sqrt(features.length - 1);
  const rows = features.map((row) => Float64Array.from(row, (v, i) => (v - mean[i]) * scale));
  return { mean, rows: new Matrix(rows) };
}

/** A matrix A of as few rows as can be with AᵀA = rowsᵀ·rows. */
function factor(rows: Matrix): Matrix {
  if (rows.rows <= rows.columns) return rows;
  const covariance = rows.transpose().mmul(rows);
  const { realEigenvalues, eigenvectorMatrix } = decomposed(covariance);
  return eigenvectorMatrix.transpose().mulColumnVector(realEigenvalues.map(root));
}

function sumOfSingularValues(matrix: Matrix): number {
  const isWide = matrix.rows <= matrix.columns;
  const squares = isWide ? matrix.mmul(matrix.transpose()) : matrix.transpose().mmul(matrix);
  return decomposed(squares).realEigenvalues.reduce((sum, value) => sum + root(value), 0);
}

function decomposed(symmetric: Matrix): EigenvalueDecomposition {
  return new EigenvalueDecomposition(symmetric, { assumeSymmetric: true });
}

/** Of what is not negative but for rounding. */
function root(value: number): number {
  return Math.sqrt(Math.max(value, 0));
}
