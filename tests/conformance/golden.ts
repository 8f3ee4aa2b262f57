import { join } from "@std/path";
import { SafetensorsFile } from "../../src/checkpoint/mod.ts";
import type { Gpu } from "../../src/gpu/mod.ts";
import { fromArray, type Tensor } from "../../src/tensor/mod.ts";
import { assertClose } from "../support/compare.ts";

/** One `name.json` with its `name.safetensors`: sizes and scalars from the first, tensors from the second. */
export class Golden<Json> implements Disposable {
  readonly json: Json;
  readonly file: SafetensorsFile;

  private constructor(json: Json, file: SafetensorsFile) {
    this.json = json;
    this.file = file;
  }

  static async open<Json>(folder: string, name: string): Promise<Golden<Json>> {
    const json = JSON.parse(await Deno.readTextFile(join(folder, `${name}.json`))) as Json;
    return new Golden(json, await SafetensorsFile.open(join(folder, `${name}.safetensors`)));
  }

  /** A stored [N, C, H, W] tensor as the NHWC tensor that the library works on. */
  async image(gpu: Gpu, name: string): Promise<Tensor> {
    const [n, c, h, w] = this.file.info(name).shape;
    return fromArray(gpu, channelsLast(await this.file.floats(name), [n, c, h, w]), [n, h, w, c]);
  }

  /** Compares an NHWC tensor's values with a stored NCHW one. */
  async assertImage(actual: Float32Array, name: string, relative: number): Promise<void> {
    const [n, c, h, w] = this.file.info(name).shape;
    const expected = channelsLast(await this.file.floats(name), [n, c, h, w]);
    assertClose(actual, expected, { relative, name, shape: [n, h, w, c] });
  }

  [Symbol.dispose](): void {
    this.file.close();
  }
}

/** NCHW values in NHWC order. */
export function channelsLast(values: Float32Array, [n, c, h, w]: readonly number[]): Float32Array {
  const result = new Float32Array(values.length);
  let from = 0;
  for (let i = 0; i < n; i++) {
    for (let channel = 0; channel < c; channel++) {
      for (let at = 0; at < h * w; at++) result[(i * h * w + at) * c + channel] = values[from++];
    }
  }
  return result;
}

/** A tolerance of the conformance rules: ten times the golden's own rounding where that is larger. */
export function tolerance(base: number, ownError = 0): number {
  return Math.max(base, 10 * ownError);
}
