import type { Conv2d, GroupNorm } from "../nn/mod.ts";
import type { FusedConv2dOptions } from "../ops/mod.ts";
import type { GroupStatistics } from "../ops/group_statistics.ts";
import type { FloatType, Tensor } from "../tensor/mod.ts";

/** Rows of a feature map, from the first up to, not including, the second. */
export interface Rows {
  readonly from: number;
  readonly to: number;
}

/** A feature map of one image; which one it is, is which object. */
export interface FeatureMap {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  /** How it is stored. */
  readonly dtype: FloatType;
}

/** The bands of a map from its top: of equal height, the last as high as what is left. */
export function bandsOf({ height }: FeatureMap, band: number): Rows[] {
  return Array.from({ length: Math.ceil(height / band) }, (_, i) => ({
    from: i * band,
    to: Math.min((i + 1) * band, height),
  }));
}

/** What a stage reads of an earlier map. */
export interface Reading {
  readonly map: FeatureMap;
  /** The rows that rows of the result depend on; what lies beyond the map's edges is zeros. */
  readonly rows: (result: Rows) => Rows;
  /** Into how many groups' statistics over the whole map are wanted; none where this is left out. */
  readonly groups?: number;
}

/** What a stage has read. */
export interface Part {
  /** [1, rows, width, channels]. */
  readonly tensor: Tensor;
  /** Which rows of the map it holds. */
  readonly rows: Rows;
  /** The statistics of the whole map, where they were wanted. */
  readonly statistics: GroupStatistics | undefined;
}

/** Makes any rows of one map from rows of earlier ones: the same bits, whichever rows are asked for. */
export interface Stage {
  readonly result: FeatureMap;
  readonly readings: readonly Reading[];
  /** The rows of the result, from one part for each reading. */
  readonly compute: (parts: readonly Part[], rows: Rows) => Tensor;
}

/** What happens around a convolution within its stage. */
export interface Around {
  /** Before it: group norm, and SiLU unless `silu` is false. */
  norm?: GroupNorm;
  /** See `norm`. */
  silu?: boolean;
  /** Behind it: this map is added, through a 1×1 convolution where there is one. */
  plus?: { map: FeatureMap; through: Conv2d | undefined };
}

/**
 * A network on one image as a list of stages. Group norm needs the statistics of a whole map, so an
 * image cannot run through the network piece by piece; but each stage can run so, one after another,
 * with its map between them wherever there is room.
 */
export class Stages {
  /** What the first stage reads. */
  readonly input: FeatureMap;
  /**
   * Into how many parts an attention cuts its keys, which otherwise are on the GPU all at once; what is
   * joined from parts differs from the whole by rounding.
   */
  readonly keyParts: number;
  #stages: Stage[] = [];

  /** A network that does nothing yet. */
  constructor(input: FeatureMap, keyParts: number = 1) {
    this.input = input;
    this.keyParts = keyParts;
  }

  /** The stages in order. */
  get all(): readonly Stage[] {
    return this.#stages;
  }

  /** The last stage's map. */
  get output(): FeatureMap {
    return this.#stages.at(-1)?.result ?? this.input;
  }

  /** Adds a stage and returns its map. */
  add(stage: Stage): FeatureMap {
    this.#stages.push(stage);
    return stage.result;
  }

  /** Adds a convolution. */
  conv(conv: Conv2d, map: FeatureMap, { norm, silu = true, plus }: Around = {}): FeatureMap {
    const window = new Window(conv);
    return this.add({
      result: window.result(map),
      readings: [
        { map, rows: (rows) => window.under(rows), groups: norm?.groups },
        ...(plus ? [{ map: plus.map, rows: sameRows }] : []),
      ],
      compute: ([part, other], rows) => {
        using scope = part.tensor.gpu.scope();
        const residual = other && (plus?.through?.forward(other.tensor) ?? other.tensor);
        const around = { norm: norm?.within({ silu, statistics: part.statistics }), residual };
        return scope.keep(window.forward(part.tensor, map, rows, around));
      },
    });
  }

  /** The last stage that reads a map, by its number; -1 where none does. */
  lastReader(map: FeatureMap): number {
    return this.#stages.findLastIndex(({ readings }) => readings.some((r) => r.map === map));
  }

  /** How many groups' statistics of a map are wanted; undefined where none are. */
  groupsOf(map: FeatureMap): number | undefined {
    const readings = this.#stages.flatMap((stage) => stage.readings);
    return readings.find((r) => r.map === map && r.groups !== undefined)?.groups;
  }
}

/** A reading of the rows that the result has. */
export function sameRows(rows: Rows): Rows {
  return rows;
}

/** Where the rows of a convolution's result lie on its input. */
export class Window {
  #conv: Conv2d;
  #stride: number;
  #sides: { top: number; bottom: number; left: number; right: number };

  /** The window of a convolution. */
  constructor(conv: Conv2d) {
    const { stride = 1, padding = 0 } = conv.config;
    this.#conv = conv;
    this.#stride = stride;
    this.#sides = typeof padding === "number"
      ? { top: padding, bottom: padding, left: padding, right: padding }
      : padding;
  }

  /** The map that becomes of another. */
  result({ height, width }: FeatureMap): FeatureMap {
    const { top, bottom, left, right } = this.#sides;
    const { kernel } = this.#conv.config;
    const length = (input: number) => Math.floor((input - kernel) / this.#stride) + 1;
    return {
      height: length(height + top + bottom),
      width: length(width + left + right),
      channels: this.#conv.weight.shape[3],
      dtype: this.#conv.dtype,
    };
  }

  /** The rows under rows of the result, those of the padding too. */
  under({ from, to }: Rows): Rows {
    const first = (row: number) => row * this.#stride - this.#sides.top;
    return { from: first(from), to: first(to - 1) + this.#conv.config.kernel };
  }

  /** The rows of the result from those of `map` that are under them, with what is computed with it. */
  forward(
    x: Tensor,
    { height }: Pick<FeatureMap, "height">,
    rows: Rows,
    around: Pick<FusedConv2dOptions, "norm" | "residual"> = {},
  ): Tensor {
    const { from, to } = this.under(rows);
    const { left, right } = this.#sides;
    const padding = { top: Math.max(0, -from), bottom: Math.max(0, to - height), left, right };
    return this.#conv.forward(x, { stride: this.#stride, padding, ...around });
  }
}
