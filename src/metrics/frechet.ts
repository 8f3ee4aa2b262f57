import type { Matrix } from "ml-matrix";
import { commonLength, type Features } from "./features.ts";
import { decomposed, FeatureMoments, root } from "./moments.ts";

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
  const length = commonLength("frechetDistance", [found, expected]);
  const [a, b] = [found, expected].map((rows) => {
    const moments = new FeatureMoments(length);
    for (const row of rows) moments.add(row);
    return moments;
  });
  return frechetOfMoments(a, b);
}

/**
 * The same of what was gathered row by row: {@link frechetDistance} in memory that does not grow with
 * the images.
 *
 * @throws {RangeError} where a set has fewer than two images.
 * @throws {TypeError} where the sets' rows differ in length.
 *
 * @example
 * ```ts
 * import { FeatureMoments, frechetOfMoments } from "@coda/tokenizer";
 *
 * const [a, b] = [new FeatureMoments(1), new FeatureMoments(1)];
 * for (const value of [-1, 1]) a.add(Float32Array.of(value));
 * for (const value of [2, 4]) b.add(Float32Array.of(value));
 * console.assert(Math.abs(frechetOfMoments(a, b) - 9) < 1e-9);
 * ```
 */
export function frechetOfMoments(found: FeatureMoments, expected: FeatureMoments): number {
  if (found.length !== expected.length) {
    throw new TypeError(
      `frechetOfMoments: features of ${found.length} and of ${expected.length} numbers`,
    );
  }
  const [a, b] = [found.factor(), expected.factor()];
  const [x, y] = [found.mean(), expected.mean()];
  const means = x.reduce((sum, value, i) => sum + (value - y[i]) ** 2, 0);
  const traces = a.norm() ** 2 + b.norm() ** 2;
  return means + traces - 2 * sumOfSingularValues(a.mmul(b.transpose()));
}

function sumOfSingularValues(matrix: Matrix): number {
  const isWide = matrix.rows <= matrix.columns;
  const squares = isWide ? matrix.mmul(matrix.transpose()) : matrix.transpose().mmul(matrix);
  return decomposed(squares).realEigenvalues.reduce((sum, value) => sum + root(value), 0);
}
