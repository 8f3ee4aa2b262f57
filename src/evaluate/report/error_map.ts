import type { Image } from "../../data/mod.ts";
import type { Raster } from "../../metrics/mod.ts";
import { shrunk } from "./shrink.ts";

/** The error, in levels of 255, from which on a map has its brightest colour. */
export const FULL_ERROR = 64;
/** By how much a map amplifies. */
export const AMPLIFICATION = 256 / FULL_ERROR;

/** Colours from no error to the full one, evenly spaced; each is brighter than the one before. */
const COLOURS: readonly (readonly [number, number, number])[] = [
  [0, 0, 10],
  [58, 20, 110],
  [150, 36, 108],
  [222, 82, 58],
  [250, 166, 40],
  [253, 250, 180],
];

/** The colour of an error in levels of 255. */
export function errorColour(error: number): [number, number, number] {
  const place = Math.min(error / FULL_ERROR, 1) * (COLOURS.length - 1);
  const below = Math.min(Math.floor(place), COLOURS.length - 2);
  const share = place - below;
  const mixed = COLOURS[below].map((value, i) =>
    Math.round(value + share * (COLOURS[below + 1][i] - value))
  );
  return [mixed[0], mixed[1], mixed[2]];
}

/**
 * A picture of where two images differ: for each pixel the mean over its three values of how far they
 * are apart, in the colours of {@link errorColour}. Where it is shrunk, errors are averaged.
 */
export function errorMap(found: Raster, original: Raster, side: number): Image {
  const { width, height } = original;
  const errors = new Float32Array(width * height);
  for (let i = 0; i < errors.length * 3; i++) {
    errors[Math.floor(i / 3)] += Math.abs(found.data[i] - original.data[i]) / 3;
  }
  const small = shrunk({ width, height, data: errors }, 1, side);
  const data = new Uint8Array(small.width * small.height * 3);
  for (let i = 0; i < small.data.length; i++) data.set(errorColour(small.data[i]), i * 3);
  return { width: small.width, height: small.height, data };
}
