import {
  type CodebookUse,
  FeatureMoments,
  frechetOfMoments,
  KernelBlocks,
  useOfCounts,
} from "../metrics/mod.ts";
import { bitsPerIndex } from "../tokens/tokens.ts";
import type { FeatureNetwork } from "./judges.ts";
import type { ImageQuality, MeasuredImage } from "./measure.ts";

/** How good the reconstructions of a set of images are. */
export interface Quality {
  /** The mean in decibels of the PSNR of the images that do not equal their original; null without. */
  readonly psnr: number | null;
  /** How many images equal their original, whose PSNR no mean can have. */
  readonly equal: number;
  /** The mean of their SSIM. */
  readonly ssim: number;
  /** The mean of their LPIPS, where its weights are at hand. */
  readonly lpips?: number;
  /** Distances of the set from that of the originals, by name: `resnet50-kid`, `resnet50-fd`, `fid`. */
  readonly distances: Readonly<Record<string, number>>;
}

/** How a codebook is used over a set of images. */
export interface SetCodebookUse extends CodebookUse {
  /** V. */
  readonly size: number;
  /** The same of each scale by itself, coarse to fine. */
  readonly scales: readonly CodebookUse[];
}

/** What the first scales of the tokens are good for. */
export interface PrefixQuality {
  /** How many scales. */
  readonly scales: number;
  /** Bits that their tokens take, of one pixel. */
  readonly bitsPerPixel: number;
  /** The mean of the images' PSNR, as in {@link Quality}. */
  readonly psnr: number | null;
  /** The mean of their SSIM. */
  readonly ssim: number;
}

/** What was measured of a set of images. */
export interface SetMeasures {
  /** How many images. */
  readonly images: number;
  /** Bits that the tokens take, of one pixel. */
  readonly bitsPerPixel: number;
  /** Through the continuous VAE: what the tokens are measured against. */
  readonly continuous: Quality;
  /** From the tokens. */
  readonly discrete: Quality;
  /** From the first 1, 2, … scales, to all of them; empty where that was not asked for. */
  readonly prefixes: readonly PrefixQuality[];
  /** The codes that were chosen. */
  readonly codebook: SetCodebookUse;
}

/** Sums up images, in memory that does not grow with them. */
export class Tally {
  #codebookSize: number;
  #images = 0;
  /** Tokens of each scale. */
  #tokens: number[] = [];
  /** Of each prefix of the scales but the whole. */
  #prefixes: QualitySums[] = [];
  #pixels = 0;
  #scales: Float64Array[] = [];
  #sums: [QualitySums, QualitySums];
  #networks: { name: string; distances: [NetworkDistances, NetworkDistances] }[];

  /** For a codebook and the networks on whose features sets are compared. */
  constructor(codebookSize: number, networks: readonly FeatureNetwork[]) {
    this.#codebookSize = codebookSize;
    this.#sums = [new QualitySums(), new QualitySums()];
    this.#networks = networks.map((network) => {
      const original = new FeatureMoments(network.length);
      const distances = () => new NetworkDistances(network, original);
      return { name: network.name, distances: [distances(), distances()], original };
    });
  }

  /** How many images there were. */
  get images(): number {
    return this.#images;
  }

  /** How many pixels an image has in the mean. */
  get meanPixels(): number {
    return this.#pixels / this.#images;
  }

  /** How often each scale chose each code. */
  get counts(): readonly Float64Array[] {
    return this.#scales;
  }

  /** Adds an image. */
  add({ width, height, continuous, discrete, prefixes, indices, features }: MeasuredImage): void {
    this.#images++;
    this.#pixels += width * height;
    [continuous, discrete].forEach((quality, set) => this.#sums[set].add(quality));
    indices.forEach((codes, scale) => {
      const counts = this.#scales[scale] ??= new Float64Array(this.#codebookSize);
      for (const code of codes) counts[code]++;
      this.#tokens[scale] = (this.#tokens[scale] ?? 0) + codes.length;
    });
    prefixes.forEach((quality, i) => (this.#prefixes[i] ??= new QualitySums()).add(quality));
    for (const { name, distances } of this.#networks) {
      const [original, ...sets] = features[name];
      distances[0].addOriginal(original);
      sets.forEach((row, set) => distances[set].add(row, original));
    }
  }

  /** What was found. @throws {RangeError} where there was no image. */
  measures(): SetMeasures {
    if (this.#images === 0) throw new RangeError("no image was measured");
    const all = new Float64Array(this.#codebookSize);
    for (const counts of this.#scales) counts.forEach((count, code) => all[code] += count);
    const [continuous, discrete] = this.#sums.map((sums, set) => ({
      ...sums.means(this.#images),
      distances: this.#distances(set),
    }));
    return {
      images: this.#images,
      bitsPerPixel: this.#bitsPerPixel(this.#tokens.length),
      continuous,
      discrete,
      prefixes: this.#prefixQualities(),
      codebook: {
        size: this.#codebookSize,
        ...useOfCounts(all),
        scales: this.#scales.map(useOfCounts),
      },
    };
  }

  #bitsPerPixel(scales: number): number {
    const tokens = this.#tokens.slice(0, scales).reduce((sum, count) => sum + count, 0);
    return tokens * bitsPerIndex(this.#codebookSize) / this.#pixels;
  }

  #prefixQualities(): PrefixQuality[] {
    if (this.#prefixes.length === 0) return [];
    return [...this.#prefixes, this.#sums[1]].map((sums, i) => {
      const { psnr, ssim } = sums.means(this.#images);
      return { scales: i + 1, bitsPerPixel: this.#bitsPerPixel(i + 1), psnr, ssim };
    });
  }

  /** One image has no distribution. */
  #distances(set: number): Record<string, number> {
    if (this.#images < 2) return {};
    return Object.assign({}, ...this.#networks.map(({ distances }) => distances[set].named()));
  }
}

/** Sums of what is averaged over images. */
class QualitySums {
  #psnr = 0;
  #equal = 0;
  #ssim = 0;
  #lpips: number | undefined;

  add({ psnr, ssim, lpips }: ImageQuality): void {
    if (psnr === null) this.#equal++;
    else this.#psnr += psnr;
    this.#ssim += ssim;
    if (lpips !== undefined) this.#lpips = (this.#lpips ?? 0) + lpips;
  }

  means(images: number): Omit<Quality, "distances"> {
    const unequal = images - this.#equal;
    return {
      psnr: unequal === 0 ? null : this.#psnr / unequal,
      equal: this.#equal,
      ssim: this.#ssim / images,
      ...this.#lpips === undefined ? {} : { lpips: this.#lpips / images },
    };
  }
}

/** Distances of one set from the originals on one network's features. */
class NetworkDistances {
  #names: FeatureNetwork["distances"];
  #original: FeatureMoments;
  #found: FeatureMoments;
  #kernel = new KernelBlocks();

  /** The originals' moments are those of both sets. */
  constructor({ distances, length }: FeatureNetwork, original: FeatureMoments) {
    this.#names = distances;
    this.#original = original;
    this.#found = new FeatureMoments(length);
  }

  addOriginal(row: Float32Array): void {
    this.#original.add(row);
  }

  add(row: Float32Array, original: Float32Array): void {
    this.#found.add(row);
    this.#kernel.add(row, original);
  }

  named(): Record<string, number> {
    return {
      [this.#names.frechet]: frechetOfMoments(this.#found, this.#original),
      [this.#names.kernel]: this.#kernel.distance(),
    };
  }
}
