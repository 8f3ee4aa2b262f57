/** Bytes that `count` values of `bits` bits take. */
export function packedLength(count: number, bits: number): number {
  return Math.ceil((count * bits) / 8);
}

/**
 * Packs values of `bits` bits (1 to 24) one after another, lowest bit first: value k takes bits
 * k·bits to (k+1)·bits − 1 of the stream, and bit j of the stream is bit j mod 8 of byte ⌊j/8⌋.
 * The bits left over in the last byte are zero.
 */
export function packBits(arrays: readonly Uint32Array[], bits: number): Uint8Array {
  const count = arrays.reduce((sum, array) => sum + array.length, 0);
  const bytes = new Uint8Array(packedLength(count, bits));
  let at = 0;
  let pending = 0;
  let held = 0;
  for (const array of arrays) {
    for (const value of array) {
      pending |= value << held;
      held += bits;
      for (; held >= 8; held -= 8) {
        bytes[at++] = pending;
        pending >>>= 8;
      }
    }
  }
  if (held > 0) bytes[at] = pending;
  return bytes;
}

/**
 * Unpacks what {@link packBits} packed into arrays of the given lengths.
 *
 * @returns The arrays, and the bits left over in the last byte: zero in a sound stream.
 */
export function unpackBits(
  bytes: Uint8Array,
  bits: number,
  lengths: readonly number[],
): { arrays: Uint32Array[]; rest: number } {
  const mask = 2 ** bits - 1;
  let at = 0;
  let pending = 0;
  let held = 0;
  const arrays = lengths.map((length) => {
    const array = new Uint32Array(length);
    for (let i = 0; i < length; i++) {
      for (; held < bits; held += 8) pending |= bytes[at++] << held;
      array[i] = pending & mask;
      pending >>>= bits;
      held -= bits;
    }
    return array;
  });
  return { arrays, rest: pending };
}
