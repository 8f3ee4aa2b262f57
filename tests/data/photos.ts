import { join } from "@std/path";
import { type Sample, saveImage } from "../../src/data/mod.ts";

/** Runs `test` with a folder that is removed after it. */
export async function withFolder(test: (path: string) => Promise<void>): Promise<void> {
  const path = await Deno.makeTempDir();
  try {
    await test(path);
  } finally {
    await Deno.remove(path, { recursive: true });
  }
}

/** Writes `count` different images of 18×12 pixels, in each of which every pixel is different. */
export async function photos(path: string, count: number): Promise<void> {
  for (let n = 0; n < count; n++) {
    const data = new Uint8Array(18 * 12 * 3);
    for (let i = 0; i < 18 * 12; i++) data.set([i, 255 - i, n], i * 3);
    await saveImage(join(path, `${n}.png`), { width: 18, height: 12, data });
  }
}

/** A sample's pixels as text. */
export function bytesOf(sample: Sample): string {
  return sample.image.data.join();
}
