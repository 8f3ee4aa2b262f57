import { fromArray, gradients, type Tensor } from "../../src/tensor/mod.ts";
import { assertClose, assertShape, relativeError, where } from "./compare.ts";
import { dot, slope, slopes } from "./finite_differences.ts";
import { testGpu } from "./gpu.ts";
import { Random } from "./random.ts";
import { type NDArray, toF32 } from "./reference/ndarray.ts";

/** One element of one input. */
export interface Coordinate {
  /** Which input. */
  input: number;
  /** Which element, as a flat offset. */
  offset: number;
  /** The element's value. */
  value: number;
}

export interface GradcheckOptions {
  /** The operation, and what is special about this case: opens every message. */
  name: string;
  /** The inputs; rounded to float32 before either side sees them. */
  inputs: NDArray[];
  /** The operation on the GPU. All inputs arrive as f32 tensors. */
  op: (inputs: Tensor[]) => Tensor;
  /** The same operation in float64. */
  reference: (inputs: NDArray[]) => NDArray;
  /** Largest ‖a−b‖/‖b‖ of the output. Default 1e-5. */
  forward?: number;
  /** Largest ‖a−b‖/‖b‖ of each input's gradient. Default 1e-4. */
  tolerance?: number;
  /** What stands for ‖b‖ where that is smaller, per √element: raise it where gradients vanish. Default 1e-3. */
  floor?: number;
  /** Which inputs are checked; all unless given. */
  wrt?: number[];
  /** How many elements of an input are checked one by one: all, or this many drawn at random. Default 64. */
  coordinates?: number;
  /** Says which elements to leave out, being too near a point where the operation has no derivative. */
  skip?: (coordinate: Coordinate) => boolean;
  /** Step of the finite differences. Default 1e-5. */
  step?: number;
  /** Seed of the cotangent and of everything drawn. Default 1. */
  seed?: number;
}

/**
 * Checks an operation on the GPU against its float64 reference, forward and backward.
 *
 * With w a fixed random cotangent, the gradients of Σ y·w from the tape are compared with central
 * differences of the reference: element by element, then (for inputs with more elements than that, and
 * unless `skip` is given) along random directions that involve every element. The gradients are taken
 * once for all inputs together and once for each input alone, since an operation takes another path then;
 * each time the live GPU bytes must return to what they were.
 */
export async function gradcheck(options: GradcheckOptions): Promise<void> {
  const { name, reference, seed = 1 } = options;
  const inputs: NDArray[] = options.inputs.map((x) => ({
    shape: x.shape,
    data: Float64Array.from(toF32(x)),
  }));
  const wrt = options.wrt ?? inputs.map((_, i) => i);
  const expected = reference(inputs);
  const cotangent = new Random(seed).normal(expected.shape);
  const together = await runOnGpu(options, inputs, cotangent, wrt);
  assertShape(together.shape, expected.shape, `${name}: output`);
  assertClose(together.y, expected, {
    name: `${name}: output`,
    relative: options.forward ?? 1e-5,
  });
  for (const [i, input] of wrt.entries()) {
    const weighted = (x: NDArray): number =>
      dot(reference(inputs.with(input, x)).data, cotangent.data);
    checkInput(options, input, inputs[input], together.gradients[i], weighted);
    if (wrt.length === 1) continue;
    const alone = await runOnGpu(options, inputs, cotangent, [input]);
    assertClose(alone.gradients[0], together.gradients[i], {
      name: `${name}: gradient of input ${input} when it alone wants one`,
      shape: inputs[input].shape,
      relative: 1e-6,
    });
  }
}

interface GpuResult {
  shape: readonly number[];
  y: ArrayLike<number>;
  gradients: ArrayLike<number>[];
}

/** The operation's output and the gradients of the chosen inputs. */
async function runOnGpu(
  { name, op }: GradcheckOptions,
  inputs: NDArray[],
  cotangent: NDArray,
  wrt: number[],
): Promise<GpuResult> {
  const gpu = await testGpu();
  const record = () => {
    using _scope = gpu.scope();
    const tensors = inputs.map((x) => fromArray(gpu, toF32(x), x.shape));
    const leaves = wrt.map((input) => tensors[input].requireGrad());
    const y = op(tensors);
    assertShape(y.shape, cotangent.shape, `${name}: output`);
    const output = y.read();
    const dy = fromArray(gpu, toF32(cotangent), cotangent.shape);
    const grads = gradients(y, leaves, { seed: dy });
    grads.forEach((gradient, i) =>
      assertShape(gradient.shape, inputs[wrt[i]].shape, `${name}: gradient of input ${wrt[i]}`)
    );
    return { shape: y.shape, reads: [output, ...grads.map((gradient) => gradient.read())] };
  };
  const before = gpu.memory.live;
  const { shape, reads } = record();
  const [y, ...read] = await Promise.all(reads);
  const leaked = gpu.memory.live - before;
  if (leaked !== 0) throw new Error(`${name}: ${leaked} more live GPU bytes than before`);
  return { shape, y, gradients: read };
}

/** Compares the gradient of one input with finite differences of `f`. */
function checkInput(
  options: GradcheckOptions,
  input: number,
  x: NDArray,
  gradient: ArrayLike<number>,
  f: (x: NDArray) => number,
): void {
  const random = new Random((options.seed ?? 1) + 1000 * (input + 1));
  const chosen = chooseOffsets(x, options.coordinates ?? 64, random)
    .filter((offset) => !options.skip?.({ input, offset, value: x.data[offset] }));
  const step = options.step ?? 1e-5;
  const expected = slopes(f, x, chosen, step);
  const found = chosen.map((offset) => gradient[offset]);
  assertGradient(options, input, x.shape, chosen, found, expected);
  if (options.skip || chosen.length === x.data.length) return;
  for (let i = 0; i < 3; i++) {
    const direction = random.normal(x.shape).data;
    const wanted = slope(f, x, Array.from(direction, (value, offset) => [offset, value]), step);
    assertDirection(options, input, gradient, dot(gradient, direction), wanted);
  }
}

function assertGradient(
  { name, tolerance = 1e-4, floor = 1e-3 }: GradcheckOptions,
  input: number,
  shape: readonly number[],
  offsets: number[],
  found: number[],
  expected: number[],
): void {
  const error = relativeError(found, expected, floor * Math.sqrt(expected.length));
  if (error <= tolerance) return;
  const off = found.map((value, i) => Math.abs(value - expected[i]));
  const worst = off.reduce((best, value, i) => (value <= off[best] ? best : i), 0);
  throw new Error(
    `${name}: gradient of input ${input} [${shape}]: ‖a−b‖/‖b‖ = ${error.toExponential(2)} ` +
      `(allowed ${tolerance}) over ${offsets.length} elements; worst at ` +
      `${where(offsets[worst], shape)}: found ${found[worst]}, expected ${expected[worst]}`,
  );
}

function assertDirection(
  { name, tolerance = 1e-4, floor = 1e-3 }: GradcheckOptions,
  input: number,
  gradient: ArrayLike<number>,
  found: number,
  expected: number,
): void {
  // Along a random unit-variance direction the slope is about ‖gradient‖ and may vanish by chance.
  const scale = Math.max(Math.sqrt(dot(gradient, gradient)), Math.abs(expected), floor);
  const error = Math.abs(found - expected) / scale;
  if (error <= 4 * tolerance) return;
  throw new Error(
    `${name}: gradient of input ${input} along a random direction: found ${found}, expected ` +
      `${expected}, off by ${error.toExponential(2)} of the gradient's norm (allowed ${
        4 * tolerance
      }); the elements checked one by one are right, so others are wrong`,
  );
}

/** All offsets, or `count` different ones in rising order. */
function chooseOffsets(x: NDArray, count: number, random: Random): number[] {
  const all = Array.from(x.data.keys());
  if (all.length <= count) return all;
  const order = random.distinct([all.length]).data;
  return all.filter((offset) => order[offset] < count);
}
