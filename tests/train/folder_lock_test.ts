import { assert, assertEquals, assertRejects } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { RunError } from "../../src/train/errors.ts";
import { LOCK, lockFolder } from "../../src/train/folder_lock.ts";
import { withFolder } from "../data/photos.ts";

const MODULE = new URL("../../src/train/folder_lock.ts", import.meta.url).href;
const CONFIG = fromFileUrl(new URL("../../deno.json", import.meta.url));

/** A process that has a folder's lock until it is killed. */
async function holder(folder: string): Promise<Deno.ChildProcess> {
  const program = `import { lockFolder } from "${MODULE}";
    globalThis.lock = await lockFolder(${JSON.stringify(folder)});
    console.log("held");
    setInterval(() => {}, 1e6);`;
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-A", "--no-check", "--config", CONFIG],
      `data:text/typescript,${encodeURIComponent(program)}`,
    ],
    stdout: "piped",
  }).spawn();
  for await (const _ of child.stdout) break;
  return child;
}

Deno.test("a folder's lock keeps another process out, is named, and ends with a killed process", () =>
  withFolder(async (folder) => {
    const child = await holder(folder);
    const error = await assertRejects(() => lockFolder(folder), RunError);
    const expected = new RegExp(
      `^${folder}: is being written by process ${child.pid}, since [\\dTZ:-]{20}; wait .*another folder$`,
    );
    assert(expected.test(error.message), error.message);
    child.kill("SIGKILL");
    await child.status;
    assert((await Deno.stat(join(folder, LOCK))).isFile);
    (await lockFolder(folder))[Symbol.dispose]();
    assertEquals(await Array.fromAsync(Deno.readDir(folder)), []);
  }));

Deno.test("a folder's lock that was given back twice is the next one's all the same", () =>
  withFolder(async (folder) => {
    const first = await lockFolder(folder);
    first[Symbol.dispose]();
    using _ = await lockFolder(folder);
    first[Symbol.dispose]();
    await assertRejects(() => lockFolder(folder), RunError, `process ${Deno.pid}`);
  }));

Deno.test("of many that want a folder one at a time has it", () =>
  withFolder(async (folder) => {
    let [holders, had] = [0, 0];
    const want = async () => {
      while (true) {
        const lock = await lockFolder(folder).catch(() => undefined);
        if (!lock) continue;
        assertEquals(++holders, 1);
        await Promise.resolve();
        [holders, had] = [holders - 1, had + 1];
        return lock[Symbol.dispose]();
      }
    };
    await Promise.all(Array.from({ length: 20 }, want));
    assertEquals(had, 20);
  }));

Deno.test("where the file system knows no locks, a folder is not locked", () =>
  withFolder(async (folder) => {
    const { tryLock } = Deno.FsFile.prototype;
    Deno.FsFile.prototype.tryLock = () => Promise.reject(new Deno.errors.NotSupported("locks"));
    try {
      using _first = await lockFolder(folder);
      using _second = await lockFolder(folder);
    } finally {
      Deno.FsFile.prototype.tryLock = tryLock;
    }
  }));
