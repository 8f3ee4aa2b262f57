/** Features of images, one row each, all of the same length. */
export type Features = readonly Float32Array[];

/**
 * Checks that two sets of features can be compared; returns their length.
 *
 * @throws {RangeError} where one has fewer than two rows: it has no covariance.
 * @throws {TypeError} where rows differ in length.
 */
export function commonLength(name: string, sets: readonly Features[]): number {
  for (const rows of sets) {
    if (rows.length >= 2) continue;
    throw new RangeError(`${name}: ${rows.length} images, expected at least 2 on either side`);
  }
  const length = sets[0][0].length;
  const other = sets.flat().find((row) => row.length !== length);
  if (other) {
    throw new TypeError(`${name}: features of ${length} and of ${other.length} numbers`);
  }
  return length;
}
