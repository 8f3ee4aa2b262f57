import { assertEquals, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { makeFolder, writeFileAtomic } from "../../src/checkpoint/atomic.ts";
import { WriteError } from "../../src/checkpoint/errors.ts";

async function withFolder(test: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await test(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function names(folder: string): string[] {
  return Array.from(Deno.readDirSync(folder), ({ name }) => name).sort();
}

Deno.test("writeFileAtomic writes bytes, text and chunks", () =>
  withFolder(async (folder) => {
    const path = join(folder, "a");
    await writeFileAtomic(path, new Uint8Array([1, 2]));
    assertEquals(await Deno.readFile(path), new Uint8Array([1, 2]));
    await writeFileAtomic(path, "é");
    assertEquals(await Deno.readFile(path), new Uint8Array([0xc3, 0xa9]));
    await writeFileAtomic(path, [new Uint8Array([5]), new Uint8Array(), new Uint8Array([6, 7])]);
    assertEquals(await Deno.readFile(path), new Uint8Array([5, 6, 7]));
    assertEquals(names(folder), ["a"]);
  }));

Deno.test("writeFileAtomic keeps the old file until the new one is whole", () =>
  withFolder(async (folder) => {
    const path = join(folder, "a");
    await Deno.writeTextFile(path, "old");
    const chunks = function* () {
      yield new TextEncoder().encode("new");
      assertEquals(Deno.readTextFileSync(path), "old");
      throw new RangeError("no more");
    };
    await assertRejects(() => writeFileAtomic(path, chunks()), RangeError, "no more");
    assertEquals(await Deno.readTextFile(path), "old");
    assertEquals(names(folder), ["a"]);
  }));

Deno.test("writeFileAtomic lets other work go on between its chunks", () =>
  withFolder(async (folder) => {
    let hasTurned = false;
    setTimeout(() => hasTurned = true);
    const chunks = function* () {
      for (let i = 0; i < 100_000 && !hasTurned; i++) yield new Uint8Array(1);
      assertEquals(hasTurned, true);
    };
    await writeFileAtomic(join(folder, "a"), chunks());
  }));

Deno.test("writeFileAtomic says why a place cannot be written, leaving nothing", () =>
  withFolder(async (folder) => {
    const refuse = (path: string, message: string) =>
      assertRejects(() => writeFileAtomic(path, "x"), WriteError, message);
    const gone = join(folder, "gone");
    await refuse(join(gone, "a"), `the folder ${gone} does not exist; create it`);
    const file = join(folder, "file");
    await Deno.writeTextFile(file, "");
    await refuse(join(file, "a"), `${file} is not a folder`);
    const inTheWay = join(folder, "sub");
    await Deno.mkdir(inTheWay);
    await refuse(inTheWay, "a folder of that name is in the way");
    assertEquals(names(folder), ["file", "sub"]);
  }));

Deno.test("makeFolder makes a folder and those above it, and leaves it empty", () =>
  withFolder(async (folder) => {
    const path = join(folder, "a/b/c");
    await makeFolder(path);
    await makeFolder(path);
    assertEquals(names(path), []);
    await Deno.writeTextFile(join(folder, "file"), "");
    await assertRejects(() => makeFolder(join(folder, "file")), WriteError, "is not a folder");
    await assertRejects(() => makeFolder(join(folder, "file/a")), WriteError, "is not a folder");
  }));

Deno.test({
  name: "a place that Deno was not allowed to write is named with the flag to give",
  permissions: { write: false },
  fn: async () => {
    const write = () => writeFileAtomic("out/a.coda", "x");
    await assertRejects(write, WriteError, "cannot write out/a.coda: Deno was not allowed to");
    await assertRejects(write, WriteError, "--allow-write=out");
    await assertRejects(() => makeFolder("out"), WriteError, "--allow-write=out");
  },
});
