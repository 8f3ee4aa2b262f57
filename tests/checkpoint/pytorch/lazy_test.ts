import { assert, assertEquals, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { CheckpointError, PytorchFile } from "../../../src/checkpoint/mod.ts";
import { bytesRead } from "../../support/count_reads.ts";
import { stateDict } from "../../support/pickle.ts";
import { FOUR, torchLegacy } from "../../support/torch_file.ts";
import { zip } from "../../support/zip.ts";

const GIB = 2 ** 30;
const four = { shape: [4], strides: [1] };
/** One tensor of 6 GiB, its last four elements, and four of another storage behind it. */
const data = stateDict({
  large: { shape: [1.5 * GIB], strides: [1], elements: 1.5 * GIB },
  last: { ...four, elements: 1.5 * GIB, offset: 1.5 * GIB - 4 },
  spread: { shape: [4], strides: [1024], elements: 1.5 * GIB, offset: 1024 },
  small: { ...four, key: "1" },
});

/** Writes a file with a hole, which takes no room on the disk. */
async function writeWithHole(path: string, bytes: Uint8Array, at: number, hole: number) {
  using file = await Deno.open(path, { write: true, create: true });
  file.writeSync(bytes.subarray(0, at));
  file.seekSync(hole, Deno.SeekMode.Current);
  file.writeSync(bytes.subarray(at));
}

/** Opens the file and reads from it; little of it is read. */
async function checkLazy(path: string): Promise<void> {
  let file: PytorchFile | undefined;
  const opening = await bytesRead(async () => file = await PytorchFile.open(path));
  assert(opening < 400_000, `opening read ${opening} bytes`);
  using opened = file!;
  assertEquals(opened.info("large").bytes, 6 * GIB);
  const reading = await bytesRead(async () => {
    assertEquals(await opened.floats("small"), new Float32Array([1, 2, 3, 4]));
    assertEquals(await opened.floats("last"), new Float32Array(4));
    assertEquals(await opened.floats("spread"), new Float32Array(4));
  });
  assert(reading < 16 + 16 + 4 * 4096 + 500, `reading took ${reading} bytes`);
}

Deno.test("Of a large archive only what is asked for is read", async () => {
  const path = join(await Deno.makeTempDir(), "large.pth");
  const files = [
    { name: "m/data.pkl", data },
    { name: "m/data/0", data: new Uint8Array(), hole: 6 * GIB },
    { name: "m/data/1", data: FOUR },
  ];
  const before = zip(files.slice(0, 2), { zip64: true });
  const tail = new TextDecoder("latin1").decode(before).indexOf("PK\x01\x02");
  await writeWithHole(path, zip(files, { zip64: true }), tail, 6 * GIB);
  await checkLazy(path);
  await Deno.remove(path);
});

Deno.test("Of a large file of the older form only what is asked for is read", async () => {
  const path = join(await Deno.makeTempDir(), "large.pth");
  const bytes = torchLegacy(data, {
    0: { count: 1.5 * GIB, bytes: new Uint8Array() },
    1: { count: 4, bytes: FOUR },
  });
  await writeWithHole(path, bytes, bytes.length - 24, 6 * GIB);
  await checkLazy(path);
  await Deno.remove(path);
});

Deno.test("A tensor beyond any memory is refused when it is read", async () => {
  const path = join(await Deno.makeTempDir(), "huge.pth");
  const elements = 2 ** 38;
  const bytes = torchLegacy(stateDict({ w: { shape: [elements], strides: [1], elements } }), {
    0: { count: elements, bytes: new Uint8Array() },
  });
  await Deno.writeFile(path, bytes);
  await Deno.truncate(path, bytes.length + 4 * elements);
  {
    using file = await PytorchFile.open(path);
    await assertRejects(() => file.tensor("w"), CheckpointError, "bytes of memory");
  }
  await Deno.remove(path);
});
