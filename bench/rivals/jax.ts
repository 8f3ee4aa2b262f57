import { channelsFirst, channelsLast, outputsFirst, outputsLast } from "./layout.ts";
import { type Library, serve } from "./serve.ts";
import { EPS, GROUPS, type Operand, operands, type Work } from "./work.ts";

/** The part of @jax-js/jax that is measured. */
interface Jax {
  init(): Promise<string[]>;
  defaultDevice(device: "webgpu"): void;
  blockUntilReady(arrays: JaxArray[]): Promise<unknown>;
  jit(f: (...arrays: JaxArray[]) => JaxArray): (...arrays: JaxArray[]) => JaxArray;
  numpy: {
    array(values: Float32Array, options: { shape: number[] }): JaxArray;
    matmul(a: JaxArray, b: JaxArray): JaxArray;
  };
  lax: {
    convGeneralDilated(x: JaxArray, w: JaxArray, strides: number[], padding: "SAME"): JaxArray;
  };
  vjp(
    f: (w: JaxArray) => JaxArray,
    at: JaxArray[],
  ): [JaxArray, (dy: JaxArray) => JaxArray[]];
  nn: {
    softmax(x: JaxArray): JaxArray;
    silu(x: JaxArray): JaxArray;
    standardize(x: JaxArray, axis: number, options: { epsilon: number }): JaxArray;
    dotProductAttention(q: JaxArray, k: JaxArray, v: JaxArray): JaxArray;
  };
}

/** A call takes one reference of each array away; `ref` adds one. */
interface JaxArray {
  readonly ref: JaxArray;
  data(): Promise<Float32Array>;
  dispose(): void;
  reshape(shape: number[]): JaxArray;
  mul(other: JaxArray): JaxArray;
  add(other: JaxArray): JaxArray;
}

const version = "0.1.25";

async function load(): Promise<Library> {
  const specifier = `npm:@jax-js/jax@${version}`;
  const jax: Jax = await import(specifier);
  if (!(await jax.init()).includes("webgpu")) throw new Error("jax-js has no WebGPU backend here");
  jax.defaultDevice("webgpu");
  return {
    adapter: null,
    prepare(work) {
      const inputs = operands(work).map((operand, i) => {
        const { values, shape } = laidOut(work, operand, i);
        return jax.numpy.array(values, { shape });
      });
      const f = jax.jit(operation(jax, work));
      const compute = () => f(...inputs.map((input) => input.ref));
      let results: JaxArray[] = [];
      return {
        call() {
          results.push(compute());
        },
        async finish() {
          await jax.blockUntilReady(results);
          for (const result of results) result.dispose();
          results = [];
        },
        async result() {
          return laidBack(work, await compute().data());
        },
      };
    },
  };
}

function operation(jax: Jax, work: Work): (...arrays: JaxArray[]) => JaxArray {
  switch (work.op) {
    case "matmul":
      return (a, b) => jax.numpy.matmul(a, b);
    case "conv2d":
      return (x, w) => jax.lax.convGeneralDilated(x, w, [1, 1], "SAME");
    case "weightGradient": {
      const { channels } = work;
      const convolve = (x: JaxArray, w: JaxArray) =>
        jax.lax.convGeneralDilated(x, w, [1, 1], "SAME");
      const w = jax.numpy.array(new Float32Array(9 * channels ** 2), {
        shape: [channels, channels, 3, 3],
      });
      return (x, dy) => {
        const [y, pull] = jax.vjp((w) => convolve(x, w), [w.ref]);
        y.dispose();
        return pull(dy)[0];
      };
    }
    case "groupNorm": {
      const { size, channels } = work;
      return (x, gamma, beta) => {
        const groups = x.reshape([1, GROUPS, channels / GROUPS * size ** 2]);
        const normed = jax.nn.standardize(groups, -1, { epsilon: EPS });
        return jax.nn.silu(normed.reshape([1, channels, size, size]).mul(gamma).add(beta));
      };
    }
    case "attention":
      return (q, k, v) => jax.nn.dotProductAttention(q, k, v);
    case "softmax":
      return (x) => jax.nn.softmax(x);
  }
}

/** jax-js convolves NCHW images with [Cout, Cin, kH, kW] weights. */
function laidOut(work: Work, operand: Operand, index: number): Operand {
  switch (work.op) {
    case "conv2d":
      return index === 0 ? channelsFirst(operand) : outputsFirst(operand);
    case "weightGradient":
      return channelsFirst(operand);
    case "groupNorm":
      return index === 0 ? channelsFirst(operand) : { ...operand, shape: [work.channels, 1, 1] };
    case "attention":
      return { ...operand, shape: [1, work.tokens, 1, work.channels] };
    default:
      return operand;
  }
}

/** A result as `operands` have it. */
function laidBack(work: Work, values: Float32Array): Float32Array {
  switch (work.op) {
    case "conv2d":
    case "groupNorm":
      return channelsLast(values, work.channels);
    case "weightGradient":
      return outputsLast(values, work.channels);
    default:
      return values;
  }
}

await serve(load);
