import { EigenvalueDecomposition, Matrix } from "ml-matrix";

/**
 * Mean and covariance of images' features, gathered row by row in float64. Its memory does not grow with
 * the images: of more rows than a row is long only their products are kept.
 *
 * @example
 * ```ts
 * import { FeatureMoments } from "@coda/tokenizer";
 *
 * const moments = new FeatureMoments(2);
 * moments.add(Float32Array.of(0, 1));
 * moments.add(Float32Array.of(2, 1));
 * console.assert(moments.count === 2 && moments.mean().join() === "1,1");
 * ```
 */
export class FeatureMoments {
  /** How many numbers a row has. */
  readonly length: number;
  #count = 0;
  /** What is taken from every row, so that products keep their digits: the first row. */
  #origin: Float64Array;
  #sum: Float64Array;
  #rows: Float64Array[] = [];
  /** Sums of products; the lower triangle, row by row. */
  #products: Float64Array | undefined;
  /** Of the rows so far: two sets that are compared with one take its decomposition once. */
  #factor: Matrix | undefined;

  /** Of rows of so many numbers. */
  constructor(length: number) {
    this.length = length;
    this.#origin = new Float64Array(length);
    this.#sum = new Float64Array(length);
  }

  /** How many rows there were. */
  get count(): number {
    return this.#count;
  }

  /** Adds an image's features. @throws {TypeError} where they are of another length. */
  add(features: Float32Array): void {
    if (features.length !== this.length) {
      throw new TypeError(`features of ${this.length} and of ${features.length} numbers`);
    }
    this.#factor = undefined;
    if (this.#count++ === 0) this.#origin.set(features);
    const row = Float64Array.from(features, (value, i) => value - this.#origin[i]);
    row.forEach((value, i) => this.#sum[i] += value);
    if (this.#products) return addProducts(this.#products, row);
    this.#rows.push(row);
    if (this.#rows.length <= this.length) return;
    this.#products = new Float64Array(this.length * (this.length + 1) / 2);
    for (const kept of this.#rows) addProducts(this.#products, kept);
    this.#rows = [];
  }

  /** The rows' mean. */
  mean(): Float64Array {
    return this.#origin.map((value, i) => value + this.#sum[i] / this.#count);
  }

  /**
   * A matrix A of as few rows as can be with AᵀA the unbiased covariance; to be read, not changed.
   *
   * @internal
   * @throws {RangeError} where there are fewer than two rows.
   */
  factor(): Matrix {
    return this.#factor ??= this.#decomposed();
  }

  #decomposed(): Matrix {
    if (this.#count < 2) {
      throw new RangeError(`${this.#count} images have no covariance: at least 2 are needed`);
    }
    const mean = this.#sum.map((value) => value / this.#count);
    if (this.#products) return factorOf(this.#covariance(this.#products, mean));
    const scale = 1 / Math.sqrt(this.#count - 1);
    return new Matrix(this.#rows.map((row) => row.map((value, i) => (value - mean[i]) * scale)));
  }

  #covariance(products: Float64Array, mean: Float64Array): Matrix {
    const covariance = Matrix.zeros(this.length, this.length);
    let at = 0;
    for (let i = 0; i < this.length; i++) {
      for (let j = 0; j <= i; j++) {
        const value = (products[at++] - this.#count * mean[i] * mean[j]) / (this.#count - 1);
        covariance.set(i, j, value);
        covariance.set(j, i, value);
      }
    }
    return covariance;
  }
}

function addProducts(products: Float64Array, row: Float64Array): void {
  let at = 0;
  for (let i = 0; i < row.length; i++) {
    const value = row[i];
    for (let j = 0; j <= i; j++) products[at++] += value * row[j];
  }
}

function factorOf(covariance: Matrix): Matrix {
  const { realEigenvalues, eigenvectorMatrix } = decomposed(covariance);
  return eigenvectorMatrix.transpose().mulColumnVector(realEigenvalues.map(root));
}

/** Eigenvalues and eigenvectors of a symmetric matrix. */
export function decomposed(symmetric: Matrix): EigenvalueDecomposition {
  return new EigenvalueDecomposition(symmetric, { assumeSymmetric: true });
}

/** The square root of what is not negative but for rounding. */
export function root(value: number): number {
  return Math.sqrt(Math.max(value, 0));
}
