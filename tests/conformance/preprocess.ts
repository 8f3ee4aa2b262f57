import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { SafetensorsFile } from "../../src/checkpoint/safetensors.ts";
import { centerCrop, type Image, imageToFloat, resizeShortSide } from "../../src/data/mod.ts";

interface Case {
  name: string;
  resized_hw: [number, number];
  crop: number;
}

async function image(file: SafetensorsFile, name: string): Promise<Image> {
  const { shape, data } = await file.tensor(name);
  return { height: shape[0], width: shape[1], data: data as Uint8Array };
}

/** HWC to CHW, the layout of the official tensors. */
function channelsFirst(values: Float32Array, pixels: number): Float32Array {
  return values.map((_, i) => values[(i % pixels) * 3 + Math.floor(i / pixels)]);
}

/** Resizing, cropping and scaling against the official validation transform, bit for bit. */
export function preprocess(goldens: string): void {
  const read = (name: string) => join(goldens, name);
  const { cases } = JSON.parse(Deno.readTextFileSync(read("preprocess.json"))) as { cases: Case[] };
  for (const { name, resized_hw: [height, width], crop } of cases) {
    Deno.test(`preprocess ${name}: resize, crop and scale equal the official ones`, async () => {
      using file = await SafetensorsFile.open(read("preprocess.safetensors"));
      const expected = await image(file, `${name}.resized_u8`);
      const resized = resizeShortSide(await image(file, `${name}.src`), Math.min(height, width));
      assertEquals([resized.height, resized.width], [height, width]);
      assertEquals(resized.data, expected.data);
      const cropped = centerCrop(resized, crop, crop);
      assertEquals(cropped.data, (await image(file, `${name}.crop_u8`)).data);
      const tensor = channelsFirst(imageToFloat(cropped), crop * crop);
      assertEquals(tensor, await file.floats(`${name}.tensor`, [3, crop, crop]));
    });
  }
}
