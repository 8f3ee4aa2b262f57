/** The middle one of measured values, the upper of two. @throws {RangeError} where there is none. */
export function median(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError("there is no median of no values");
  return values.toSorted((a, b) => a - b)[values.length >> 1];
}
