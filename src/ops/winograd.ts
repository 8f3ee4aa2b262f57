import type { Storage } from "../gpu/mod.ts";
import { empty, type FloatType, type Tensor } from "../tensor/mod.ts";
import type { Geometry } from "./convolve.ts";
import { align, cropped, fit, flipped, type Matrices } from "./fit.ts";
import { addProducts, multiply, sumsOf, totalOf } from "./winograd_products.ts";
import {
  type Added,
  FREQUENCIES,
  halved,
  inQuads,
  partsOf,
  type Reading,
  type Tiled,
  tilesOf,
  transformCotangents,
  transformInputs,
  transformOutputs,
  transformSums,
  transformTaps,
} from "./winograd_transforms.ts";

/** Tiles that are transformed at once at least, and where products are summed over them: see {@link partsOf}. */
const SHORT = 16;
const LONG = 128;

/**
 * A 3×3 convolution of stride 1 by Winograd's F(4×4, 3×3) (Lavin & Gray 2016), which multiplies a
 * quarter as often as the direct form; records nothing. Its rounding error is about twice as large.
 * `geometry` is that of what is read; `residual` is added to the result, which is stored as `dtype`. What
 * is transformed is f32 all the same: f16 would lose more there than in the images.
 */
export function winogradConvolve(
  x: Tensor,
  weight: Tensor,
  bias: Tensor | undefined,
  geometry: Geometry,
  dtype: FloatType,
  { residual, ...reading }: Reading & { residual?: Tensor } = {},
): Tensor {
  using scope = x.gpu.scope();
  const { gpu } = x;
  const { batch, cin, output, cout } = geometry;
  const taps = fit(gpu, tapsOf(weight), align(cin), align(cout));
  const y = empty(gpu, [batch, ...output, align(cout)], dtype);
  filter(sourceOf(x, geometry, reading), taps, y, {
    bias: bias && inQuads(bias, cout).storage,
    residual: residual && inQuads(residual, cout).storage,
  });
  return scope.keep(withChannels(y, cout));
}

/** The gradient with respect to what is read: dy convolved with the weights turned and transposed. */
export function winogradInputGradient(
  dy: Tensor,
  weight: Tensor,
  geometry: Geometry,
  { isDoubled = false }: Pick<Reading, "isDoubled"> = {},
): Tensor {
  using scope = dy.gpu.scope();
  const { gpu } = dy;
  const { batch, image, cin, output, cout, top, left } = geometry;
  const taps = flipped(gpu, tapsOf(weight), align(cout), align(cin));
  const turned = { image: output, cin: cout, output: image, cout: cin };
  const back = { ...geometry, ...turned, top: 2 - top, left: 2 - left };
  const dx = empty(gpu, [batch, ...(isDoubled ? halved(image) : image), align(cin)]);
  filter(sourceOf(dy, back), taps, dx, { isHalved: isDoubled });
  return scope.keep(withChannels(dx, cin));
}

/** The gradient with respect to the weight [3, 3, cin, cout]. */
export function winogradWeightGradient(
  x: Tensor,
  dy: Tensor,
  geometry: Geometry,
  reading: Reading = {},
): Tensor {
  using scope = x.gpu.scope();
  const { gpu } = x;
  const { cin, cout, output } = geometry;
  const source = sourceOf(x, geometry, reading);
  const sink = { ...source, ...inQuads(dy, cout), image: output };
  const [rows, columns] = [source.channels, sink.channels];
  const parts = partsOf(gpu, source, rows + columns, LONG);
  const sums = sumsOf(gpu, { batch: FREQUENCIES, m: rows, n: columns, k: parts[0].tiles });
  for (const part of parts) {
    using _scope = gpu.scope();
    const a = transformInputs(gpu, source, part);
    const b = transformCotangents(gpu, sink, part);
    addProducts(gpu, { a, b, k: part.tiles, isFirst: part.first === 0 }, sums);
  }
  const dw = transformSums(gpu, totalOf(sums), rows, columns);
  if (rows === cin && columns === cout) return scope.keep(dw);
  const found = { storage: dw.storage, count: 9, rows, columns };
  return scope.keep(cropped(gpu, found, cin, [3, 3, cin, cout]));
}

/** Transforms, multiplies and transforms back; `taps` are [3, 3, cin, cout], in multiples of 4. */
function filter(source: Tiled, taps: Storage, y: Tensor, added: Added): void {
  const { gpu, storage, shape: [, height, width, channels] } = y;
  const sink = { ...source, storage, channels, image: [height, width] };
  const weights = transformTaps(gpu, taps, source.channels, channels);
  for (const part of partsOf(gpu, source, source.channels + channels, SHORT)) {
    using _scope = gpu.scope();
    const maps = transformInputs(gpu, source, part);
    const extents = { batch: FREQUENCIES, m: part.tiles, n: channels, k: source.channels };
    const products = multiply(gpu, maps, weights, extents);
    transformOutputs(gpu, products.storage, sink, part, added);
  }
}

/** x as a convolution reads it, in the tiles of what it makes. */
function sourceOf(
  x: Tensor,
  { batch, cin, image, output, top, left }: Geometry,
  reading: Reading = {},
): Tiled {
  const own = reading.isDoubled ? halved(image) : image;
  return { ...inQuads(x, cin), batch, image: own, top, left, grid: tilesOf(output), reading };
}

function tapsOf({ storage, shape: [, , rows, columns] }: Tensor): Matrices {
  return { storage, count: 9, rows, columns };
}

/** The first `count` channels of an image. */
function withChannels(y: Tensor, count: number): Tensor {
  const columns = y.shape[3];
  if (columns === count) return y;
  const rows = y.size / columns;
  const shape = [...y.shape.slice(0, 3), count];
  return cropped(y.gpu, { storage: y.storage, count: 1, rows, columns }, rows, shape);
}
