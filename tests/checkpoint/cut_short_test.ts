import { assert, assertRejects, assertStringIncludes } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { CheckpointError, encodeSafetensors, openTensors } from "../../src/checkpoint/mod.ts";
import { bytesRead } from "../support/count_reads.ts";
import { stateDict } from "../support/pickle.ts";
import { torchLegacy, torchZip } from "../support/torch_file.ts";

const values = new Float32Array(20_000).map((_, i) => i / 7);
const bytes = new Uint8Array(values.buffer);
const data = stateDict({ w: { shape: [20_000], strides: [1], elements: 20_000 } });

/** Files of 80 kB in every format. */
const files: Record<string, Uint8Array> = {
  "w.safetensors": encodeSafetensors([{ name: "w", shape: [20_000], data: values }]),
  "w.pth": torchZip(data, { 0: bytes }),
  "deflated.pth": torchZip(data, { 0: bytes }, { file: { deflate: true } }),
  "wide.pth": torchZip(data, { 0: bytes }, { zip64: true }),
  "legacy.pth": torchLegacy(data, { 0: { count: 20_000, bytes } }),
};

/** Opening a file that is cut short is refused by name and reason, and little more than it is read. */
async function checkCut(path: string, whole: Uint8Array, length: number): Promise<void> {
  await Deno.writeFile(path, whole.subarray(0, length));
  const read = await bytesRead(async () => {
    const error = await assertRejects(
      () => openTensors(path),
      CheckpointError,
      undefined,
      `${path} of ${length} bytes`,
    );
    assertStringIncludes(error.message, `${path}: `);
    assert(error.message.length > path.length + 20, error.message);
  });
  assert(read <= 4 * 65_536 + length, `${read} bytes were read of ${length}`);
}

for (const [name, whole] of Object.entries(files)) {
  Deno.test(`${name} cut short at every 1,000th byte is refused`, async () => {
    const folder = await Deno.makeTempDir();
    for (let length = 0; length < whole.length; length += 1000) {
      await checkCut(join(folder, name), whole, length);
    }
    await checkCut(join(folder, name), whole, whole.length - 1);
    await Deno.remove(folder, { recursive: true });
  });
}

for (const name of ["training.bin", "lightning_legacy.ckpt"]) {
  Deno.test(`${name} cut short at every byte is refused`, async () => {
    const folder = await Deno.makeTempDir();
    const fixture = fromFileUrl(new URL(`../fixtures/pytorch/${name}`, import.meta.url));
    const whole = await Deno.readFile(fixture);
    for (let length = 0; length < whole.length; length++) {
      await checkCut(join(folder, name), whole, length);
    }
    await Deno.remove(folder, { recursive: true });
  });
}
