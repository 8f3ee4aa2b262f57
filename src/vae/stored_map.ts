import type { Gpu } from "../gpu/mod.ts";
import { concat, slice } from "../ops/mod.ts";
import { empty, type FloatType, share, type Tensor } from "../tensor/mod.ts";
import type { FeatureMap, Rows } from "./stages.ts";

/** The rows of a feature map, put band by band from the top and taken as they are needed. */
export interface StoredMap extends Disposable {
  /** Keeps the next rows, [1, rows, width, channels]; resolves when they can be taken. */
  put(rows: Rows, tensor: Tensor): Promise<void>;
  /** Rows that were put, as a tensor of the current scope, for reading. */
  take(rows: Rows): Tensor;
}

/** Rows of a map within a longer list of bands. */
interface Piece<Band> {
  readonly band: Band;
  /** Which of the band's own rows. */
  readonly rows: Rows;
}

/** The pieces of bands that together are the rows. */
function pieces<Band extends { rows: Rows }>(bands: readonly Band[], { from, to }: Rows) {
  const found: Piece<Band>[] = [];
  for (const band of bands) {
    const first = Math.max(from, band.rows.from);
    const last = Math.min(to, band.rows.to);
    if (first < last) {
      found.push({ band, rows: { from: first - band.rows.from, to: last - band.rows.from } });
    }
  }
  return found;
}

/** A map on the GPU: each band a tensor, so that the map may exceed what the adapter binds at once. */
export class GpuMap implements StoredMap {
  #bands: { rows: Rows; tensor: Tensor }[] = [];

  put(rows: Rows, tensor: Tensor): Promise<void> {
    this.#bands.push({ rows, tensor: share(tensor) });
    return Promise.resolve();
  }

  take(rows: Rows): Tensor {
    const [{ band: { tensor: { gpu } } }] = pieces(this.#bands, rows);
    using scope = gpu.scope();
    const parts = pieces(this.#bands, rows).map(({ band: { tensor }, rows: { from, to } }) => {
      const [, height, ...rest] = tensor.shape;
      if (to - from < height) return slice(tensor, [0, from], [1, to, ...rest]);
      const whole = share(tensor);
      gpu.track(whole);
      return whole;
    });
    return scope.keep(parts.length === 1 ? parts[0] : concat(parts, 1));
  }

  [Symbol.dispose](): void {
    for (const { tensor } of this.#bands) tensor.dispose();
    this.#bands = [];
  }
}

interface HostBand {
  rows: Rows;
  values: Float32Array;
}

/** A map in the host's memory. */
export class HostMap implements StoredMap {
  #gpu: Gpu;
  #row: number; // values
  #shape: readonly number[];
  #dtype: FloatType;
  #bands: HostBand[] = [];

  /** A map of this size, of these values where they are known. */
  constructor(gpu: Gpu, { height, width, channels, dtype }: FeatureMap, values?: Float32Array) {
    this.#gpu = gpu;
    this.#dtype = dtype;
    this.#row = width * channels;
    this.#shape = [width, channels];
    if (values) this.#bands.push({ rows: { from: 0, to: height }, values });
  }

  async put(rows: Rows, tensor: Tensor): Promise<void> {
    const band: HostBand = { rows, values: new Float32Array(0) };
    this.#bands.push(band);
    band.values = await tensor.read() as Float32Array;
  }

  take(rows: Rows): Tensor {
    const tensor = empty(this.#gpu, [1, rows.to - rows.from, ...this.#shape], this.#dtype);
    tensor.write(this.values(rows));
    return tensor;
  }

  /** The values of rows that were put. */
  values(rows: Rows): Float32Array {
    const parts = pieces(this.#bands, rows).map(({ band: { values }, rows: { from, to } }) =>
      values.subarray(from * this.#row, to * this.#row)
    );
    if (parts.length === 1) return parts[0];
    const all = new Float32Array((rows.to - rows.from) * this.#row);
    let at = 0;
    for (const part of parts) {
      all.set(part, at);
      at += part.length;
    }
    return all;
  }

  [Symbol.dispose](): void {
    this.#bands = [];
  }
}
