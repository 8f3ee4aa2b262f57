import type { Gpu } from "../gpu/mod.ts";
import { empty, share, type Tensor } from "../tensor/mod.ts";
import { stridesOf } from "./broadcast.ts";
import { concat } from "./concat.ts";
import {
  type ChunkMoments,
  chunkMoments,
  chunkOf,
  type GroupLayout,
  type GroupStatistics,
  joinMoments,
} from "./group_statistics.ts";
import { reshape } from "./reshape.ts";
import { slice } from "./slice.ts";
import { writeStrided } from "./strided.ts";

/**
 * Gathers the statistics of a group norm over one image that comes in parts: its pixels in order, any
 * number at a time. They are the statistics of the whole image to the bit, since the same chunks of
 * pixels are taken together.
 */
export class GroupMoments implements Disposable {
  #layout: GroupLayout;
  #chunk: number;
  #all: ChunkMoments;
  #rest: Tensor | undefined; // the pixels of a chunk that has begun
  #done = 0; // chunks

  /** For an image of so many pixels and channels. */
  constructor(gpu: Gpu, pixels: number, channels: number) {
    using _scope = gpu.scope();
    this.#layout = { images: 1, pixels, channels, groups: 1 };
    this.#chunk = chunkOf(pixels);
    const shape = [Math.ceil(pixels / this.#chunk), channels];
    this.#all = { means: share(empty(gpu, shape)), squares: share(empty(gpu, shape)) };
  }

  /** Takes the next pixels, [..., channels]. */
  add(x: Tensor): void {
    using _scope = x.gpu.scope();
    const { channels, pixels } = this.#layout;
    const next = reshape(x, [x.size / channels, channels]);
    const known = this.#rest ? concat([this.#rest, next], 0) : next;
    const count = known.shape[0];
    const isLast = this.#done * this.#chunk + count === pixels;
    const whole = isLast ? count : count - count % this.#chunk;
    if (whole > 0) this.#take(known, whole);
    this.#rest?.dispose();
    this.#rest = whole < count ? share(slice(known, [whole])) : undefined;
  }

  /** The statistics of each group, once every pixel was added. */
  statistics(groups: number): GroupStatistics {
    return joinMoments(this.#all, { ...this.#layout, groups });
  }

  /** Frees what it holds. */
  [Symbol.dispose](): void {
    for (const tensor of [this.#all.means, this.#all.squares, this.#rest]) tensor?.dispose();
  }

  #take(x: Tensor, pixels: number): void {
    const found = chunkMoments(x, { ...this.#layout, pixels }, this.#chunk);
    const strides = [0, ...stridesOf(this.#all.means.shape)];
    const base = this.#done * this.#layout.channels;
    writeStrided("groupMoments", found.means, this.#all.means, strides, base);
    writeStrided("groupMoments", found.squares, this.#all.squares, strides, base);
    this.#done += found.means.shape[1];
  }
}
