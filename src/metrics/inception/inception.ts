import type { Gpu } from "../../gpu/mod.ts";
import { Parameters, type WeightSource } from "../../nn/mod.ts";
import { bilinear, concat, conv2d, maxPool2d, mean, relu } from "../../ops/mod.ts";
import { ShapeError, shapeText, type Tensor } from "../../tensor/mod.ts";
import { averageOfNeighbours } from "./average_pool.ts";
import { withNormsFolded } from "./folded_norms.ts";

/** The side of the images that the network sees, in pixels. */
const SIDE = 299;

/** From images or features to features. */
type Layer = (x: Tensor) => Tensor;

/** Declares a convolution with its norm and ReLU: channels in and out, height and width of its window. */
type MakeConv = (
  name: string,
  channels: readonly [input: number, output: number],
  kernel?: readonly [height: number, width: number],
  options?: { stride?: number; isPadded?: boolean },
) => Layer;

/**
 * InceptionV3 (Szegedy et al. 2016) as the FID has it (SPEC section 7): the network of
 * `pt_inception-2015-12-05`, whose average pools do not count what lies beyond the image, and whose last
 * block has a maximum pool. Its weights have that file's keys, `Mixed_5b.branch1x1.conv.weight`; the
 * classifier is not read. Batch norms are folded into the convolutions.
 *
 * @example
 * ```ts
 * import { Gpu, InceptionV3, openTensors } from "@coda/tokenizer";
 * import { full } from "@coda/tokenizer/tensor";
 *
 * async function shape(gpu: Gpu): Promise<void> {
 *   using weights = await openTensors("pt_inception-2015-12-05-6726825d.pth");
 *   using inception = await InceptionV3.load(gpu, weights);
 *   using pooled = inception.pooled(full(gpu, [1, 256, 256, 3], 0));
 *   console.log(pooled.shape); // [1, 2048]
 * }
 * ```
 */
export class InceptionV3 implements Disposable {
  /** How many features an image has. */
  readonly length = 2048;
  /** Its convolutions, with the norms behind them. */
  readonly parameters: Parameters;
  #layers: readonly Layer[];

  /** Declares the parameters, which are undefined until loaded. */
  constructor(gpu: Gpu) {
    this.parameters = new Parameters(gpu);
    const conv: MakeConv = (name, channels, kernel = [1, 1], options = {}) =>
      declareConv(this.parameters, name, channels, kernel, options);
    this.#layers = [...stem(conv), ...mixed(conv)];
  }

  /** Builds it and reads its weights. */
  static async load(gpu: Gpu, source: WeightSource): Promise<InceptionV3> {
    const inception = new InceptionV3(gpu);
    try {
      await inception.load(source);
      return inception;
    } catch (error) {
      inception[Symbol.dispose]();
      throw error;
    }
  }

  /** Reads its weights. */
  async load(source: WeightSource): Promise<void> {
    await this.parameters.load(withNormsFolded(source));
  }

  /**
   * The features behind the last pooling (pool3) of images [N, H, W, 3] in [-1, 1], which are brought to
   * 299² by bilinear interpolation without antialias: [N, 2048].
   *
   * @throws {ShapeError} where the image is no [N, H, W, 3].
   */
  pooled(image: Tensor): Tensor {
    if (image.rank !== 4 || image.shape[3] !== 3) {
      throw new ShapeError("InceptionV3", `expected [N, H, W, 3], found ${shapeText(image.shape)}`);
    }
    using scope = image.gpu.scope();
    let x = bilinear(image, { height: SIDE, width: SIDE });
    for (const layer of this.#layers) {
      using inner = image.gpu.scope();
      x = inner.keep(layer(x));
    }
    return scope.keep(mean(x, { axes: [1, 2] }));
  }

  /** Frees the parameters. */
  [Symbol.dispose](): void {
    this.parameters[Symbol.dispose]();
  }
}

function declareConv(
  parameters: Parameters,
  name: string,
  [input, output]: readonly [number, number],
  [height, width]: readonly [number, number],
  { stride = 1, isPadded = false }: { stride?: number; isPadded?: boolean },
): Layer {
  const at = parameters.at(`${name}.conv`);
  const weight = at.declare("weight", [output, input, height, width], { layout: "conv2d" });
  const bias = at.declare("bias", [output]);
  const [rows, columns] = isPadded ? [(height - 1) / 2, (width - 1) / 2] : [0, 0];
  const padding = { top: rows, bottom: rows, left: columns, right: columns };
  return (x) => {
    using scope = x.gpu.scope();
    return scope.keep(relu(conv2d(x, weight, bias, { stride, padding })));
  };
}

const WINDOW = [3, 3] as const;
const ROW = [1, 7] as const;
const COLUMN = [7, 1] as const;
const padded = { isPadded: true };
const halving = { stride: 2 };

const halved: Layer = (x) => maxPool2d(x, { kernel: 3, stride: 2 });
const largestNeighbour: Layer = (x) => maxPool2d(x, { kernel: 3, stride: 1, padding: 1 });

function inTurn(...layers: readonly Layer[]): Layer {
  return (x) => layers.reduce((y, layer) => layer(y), x);
}

/** Layers that all see the same, their channels one after another. */
function sideBySide(...layers: readonly Layer[]): Layer {
  return (x) => concat(layers.map((layer) => layer(x)), 3);
}

/** Down to 35² pixels. */
function stem(conv: MakeConv): Layer[] {
  return [
    conv("Conv2d_1a_3x3", [3, 32], WINDOW, halving),
    conv("Conv2d_2a_3x3", [32, 32], WINDOW),
    conv("Conv2d_2b_3x3", [32, 64], WINDOW, padded),
    halved,
    conv("Conv2d_3b_1x1", [64, 80]),
    conv("Conv2d_4a_3x3", [80, 192], WINDOW),
    halved,
  ];
}

function mixed(conv: MakeConv): Layer[] {
  const within = (block: string): MakeConv => (name, ...rest) => conv(`${block}.${name}`, ...rest);
  return [
    blockA(within("Mixed_5b"), 192, 32),
    blockA(within("Mixed_5c"), 256, 64),
    blockA(within("Mixed_5d"), 288, 64),
    blockB(within("Mixed_6a")),
    blockC(within("Mixed_6b"), 128),
    blockC(within("Mixed_6c"), 160),
    blockC(within("Mixed_6d"), 160),
    blockC(within("Mixed_6e"), 192),
    blockD(within("Mixed_7a")),
    blockE(within("Mixed_7b"), 1280, averageOfNeighbours),
    blockE(within("Mixed_7c"), 2048, largestNeighbour),
  ];
}

/** At 35². */
function blockA(conv: MakeConv, input: number, pooled: number): Layer {
  return sideBySide(
    conv("branch1x1", [input, 64]),
    inTurn(conv("branch5x5_1", [input, 48]), conv("branch5x5_2", [48, 64], [5, 5], padded)),
    inTurn(
      conv("branch3x3dbl_1", [input, 64]),
      conv("branch3x3dbl_2", [64, 96], WINDOW, padded),
      conv("branch3x3dbl_3", [96, 96], WINDOW, padded),
    ),
    inTurn(averageOfNeighbours, conv("branch_pool", [input, pooled])),
  );
}

/** From 35² to 17². */
function blockB(conv: MakeConv): Layer {
  return sideBySide(
    conv("branch3x3", [288, 384], WINDOW, halving),
    inTurn(
      conv("branch3x3dbl_1", [288, 64]),
      conv("branch3x3dbl_2", [64, 96], WINDOW, padded),
      conv("branch3x3dbl_3", [96, 96], WINDOW, halving),
    ),
    halved,
  );
}

/** At 17², with `inner` channels between. */
function blockC(conv: MakeConv, inner: number): Layer {
  return sideBySide(
    conv("branch1x1", [768, 192]),
    inTurn(
      conv("branch7x7_1", [768, inner]),
      conv("branch7x7_2", [inner, inner], ROW, padded),
      conv("branch7x7_3", [inner, 192], COLUMN, padded),
    ),
    inTurn(
      conv("branch7x7dbl_1", [768, inner]),
      conv("branch7x7dbl_2", [inner, inner], COLUMN, padded),
      conv("branch7x7dbl_3", [inner, inner], ROW, padded),
      conv("branch7x7dbl_4", [inner, inner], COLUMN, padded),
      conv("branch7x7dbl_5", [inner, 192], ROW, padded),
    ),
    inTurn(averageOfNeighbours, conv("branch_pool", [768, 192])),
  );
}

/** From 17² to 8². */
function blockD(conv: MakeConv): Layer {
  return sideBySide(
    inTurn(conv("branch3x3_1", [768, 192]), conv("branch3x3_2", [192, 320], WINDOW, halving)),
    inTurn(
      conv("branch7x7x3_1", [768, 192]),
      conv("branch7x7x3_2", [192, 192], ROW, padded),
      conv("branch7x7x3_3", [192, 192], COLUMN, padded),
      conv("branch7x7x3_4", [192, 192], WINDOW, halving),
    ),
    halved,
  );
}

/** At 8². */
function blockE(conv: MakeConv, input: number, pool: Layer): Layer {
  const crossed = (name: string, [row, column]: readonly [string, string]) =>
    sideBySide(
      conv(`${name}_${row}`, [384, 384], [1, 3], padded),
      conv(`${name}_${column}`, [384, 384], [3, 1], padded),
    );
  return sideBySide(
    conv("branch1x1", [input, 320]),
    inTurn(conv("branch3x3_1", [input, 384]), crossed("branch3x3", ["2a", "2b"])),
    inTurn(
      conv("branch3x3dbl_1", [input, 448]),
      conv("branch3x3dbl_2", [448, 384], WINDOW, padded),
      crossed("branch3x3dbl", ["3a", "3b"]),
    ),
    inTurn(pool, conv("branch_pool", [input, 192])),
  );
}
