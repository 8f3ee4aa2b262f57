import { join } from "@std/path";
import { writeAll } from "../checkpoint/atomic.ts";
import { RunError } from "./errors.ts";

/** The file in a folder that is locked while a process writes there. */
export const LOCK = ".lock";

/**
 * Keeps a folder to one process, or to one of several in a process, until it is disposed. The system ends
 * the lock with the process, however that ends: a {@link LOCK} that a killed one left locks nothing, and
 * the next one removes it. Where the file system knows no locks, nothing is locked.
 *
 * @param folder It must be there and be writable, see {@link makeFolder}.
 * @throws {RunError} where another one has it.
 */
export async function lockFolder(folder: string): Promise<Disposable> {
  const path = join(folder, LOCK);
  while (true) {
    const file = await Deno.open(path, { read: true, write: true, create: true });
    if (!await file.tryLock(true).catch(() => true)) {
      file.close();
      throw new RunError(folder, await inUse(path));
    }
    if (await isStill(path, file)) {
      await note(file).catch(() => {}); // a full disk is told by who has something to write
      return held(path, file);
    }
    file.close(); // who had it removed it while it was opened here
  }
}

/** Writes into a lock's file who has it. */
async function note(file: Deno.FsFile): Promise<void> {
  const now = new Date().toISOString().replace(/\.\d+/, "");
  await file.truncate();
  await writeAll(file, new TextEncoder().encode(`process ${Deno.pid}, since ${now}\n`));
}

/** A lock; to give it back twice does no harm. */
function held(path: string, file: Deno.FsFile): Disposable {
  let isHeld = true;
  return {
    [Symbol.dispose]() {
      if (!isHeld) return;
      isHeld = false;
      try {
        Deno.removeSync(path); // before the lock ends: afterwards it may be another's
      } catch {
        // it is gone already, or stays and locks nothing
      }
      file.close();
    },
  };
}

/** Whether a path is still that of an open file. Windows does not tell. */
async function isStill(path: string, file: Deno.FsFile): Promise<boolean> {
  if (Deno.build.os === "windows") return true;
  const [named, opened] = await Promise.all([
    Deno.stat(path).catch(() => undefined),
    file.stat(),
  ]);
  return named?.ino === opened.ino && named?.dev === opened.dev;
}

async function inUse(path: string): Promise<string> {
  const holder = await Deno.readTextFile(path).catch(() => ""); // Windows lets nobody else read it
  const by = /^process \d+, since [\dTZ:-]+$/.exec(holder.trim())?.[0] ?? "another process";
  return `is being written by ${by}; wait until that has ended, or name another folder`;
}
