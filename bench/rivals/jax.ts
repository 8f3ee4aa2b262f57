import { type Library, serve } from "./serve.ts";
import { type Operand, operands, type Work } from "./work.ts";

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
  nn: { softmax(x: JaxArray): JaxArray };
}

/** A call takes one reference of each array away; `ref` adds one. */
interface JaxArray {
  readonly ref: JaxArray;
  data(): Promise<Float32Array>;
  dispose(): void;
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
        const { values, shape } = work.op === "conv2d" ? channelsFirst(operand, i) : operand;
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
          const values = await compute().data();
          return work.op === "conv2d" ? channelsLast(values, work.channels) : values;
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
    case "softmax":
      return (x) => jax.nn.softmax(x);
  }
}

/** jax-js convolves NCHW images with [Cout, Cin, kH, kW] weights: operand 0 and operand 1. */
function channelsFirst({ values, shape }: Operand, index: number): Operand {
  if (index === 0) {
    const [batch, height, width, channels] = shape;
    return {
      shape: [batch, channels, height, width],
      values: transpose(values, height * width, channels),
    };
  }
  const [kH, kW, cin, cout] = shape;
  const rows = transpose(values, kH * kW * cin, cout); // [cout, taps, cin]
  const found = new Float32Array(rows.length);
  for (let o = 0; o < cout; o++) {
    const area = kH * kW * cin;
    found.set(transpose(rows.subarray(o * area, (o + 1) * area), kH * kW, cin), o * area);
  }
  return { shape: [cout, cin, kH, kW], values: found };
}

function channelsLast(values: Float32Array, channels: number): Float32Array {
  return transpose(values, channels, values.length / channels);
}

function transpose(values: Float32Array, rows: number, columns: number): Float32Array {
  const found = new Float32Array(values.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      found[column * rows + row] = values[row * columns + column];
    }
  }
  return found;
}

await serve(load);
