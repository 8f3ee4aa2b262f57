import { assertEquals, assertRejects } from "@std/assert";
import { linkFileAtomic, writeFileAtomic, writeFolderAtomic } from "../../src/checkpoint/atomic.ts";
import { WriteError } from "../../src/checkpoint/mod.ts";
import { withFolder } from "../data/photos.ts";

async function names(folder: string): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(folder), ({ name }) => name)).sort();
}

Deno.test("writeFolderAtomic: the whole of a folder takes the place of the old, or none of it", async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/step-1`;
    await writeFolderAtomic(path, (into) => writeFileAtomic(`${into}/a`, "old"));
    const failing = writeFolderAtomic(path, async (into) => {
      await writeFileAtomic(`${into}/a`, "new");
      assertEquals(await Deno.readTextFile(`${path}/a`), "old");
      throw new TypeError("stopped");
    });
    await assertRejects(() => failing, TypeError, "stopped");
    assertEquals([await names(folder), await names(path)], [["step-1"], ["a"]]);
    assertEquals(await Deno.readTextFile(`${path}/a`), "old");
    await writeFolderAtomic(path, (into) => writeFileAtomic(`${into}/b`, "new"));
    assertEquals([await names(folder), await names(path)], [["step-1"], ["b"]]);
    const unwritable = writeFolderAtomic(path, (into) => writeFileAtomic(`${into}/none/c`, ""));
    const error = await assertRejects(() => unwritable, WriteError);
    assertEquals(error.file, `${path}/none/c`); // not the name that it had meanwhile
    assertEquals(await names(folder), ["step-1"]);
  });
});

Deno.test("linkFileAtomic: a second name takes the place of another file, and outlives the first", async () => {
  await withFolder(async (folder) => {
    const [from, to] = [`${folder}/from`, `${folder}/to`];
    await writeFileAtomic(from, "new");
    await writeFileAtomic(to, "old");
    for (let again = 0; again < 2; again++) await linkFileAtomic(from, to);
    assertEquals(await names(folder), ["from", "to"]);
    await Deno.remove(from);
    assertEquals(await Deno.readTextFile(to), "new");
    await assertRejects(() => linkFileAtomic(from, to), WriteError, "cannot write ");
    assertEquals([await names(folder), await Deno.readTextFile(to)], [["to"], "new"]);
  });
});
