import { assert, assertEquals, assertMatch } from "@std/assert";
import { join } from "@std/path";
import { Gpu } from "../../../src/gpu/mod.ts";
import { candidates, type Slot, tileFor, type Tiles } from "../../../src/ops/tile.ts";
import { keptFile, readKept, writeKept } from "../../../src/ops/tuning/kept.ts";
import { tune } from "../../../src/ops/tuning/tune.ts";
import { flat, gpuTest } from "../../support/gpu.ts";

const SMALL = { maxStorageBufferBindingSize: 2 ** 16 };

/** Tiles that no measurement on a CPU would find. */
const SLOW: Tiles = {
  matmul: "registers",
  smallMatmul: "registers",
  winograd: "wide32",
  convolution: "wide",
  weightGradient: "wide",
};

gpuTest("tune: each kind of product has one of its tiles, and the device uses it", async (gpu) => {
  await inFolder(async (folder) => {
    const options = { folder, again: true };
    const { tiles, source, measured } = await flat(gpu, () => tune(gpu, options));
    assertEquals(source, "measured");
    assert(Math.abs(Date.now() - Date.parse(measured!)) < 60_000);
    for (const [slot, known] of Object.entries(candidates[gpu.isCpu ? "cpu" : "gpu"])) {
      assert(known.includes(tiles[slot as Slot]), `${slot}: ${tiles[slot as Slot]}`);
      assertEquals(tileFor(gpu, slot as Slot), tiles[slot as Slot]);
    }
  });
});

gpuTest("tune: what one process measures another reads, each device for itself", async (gpu) => {
  await inFolder(async (folder) => {
    const { tiles, file } = await tune(gpu, { folder, again: true });
    assertEquals(await namesIn(folder), [file]);
    assertMatch(file!, /[/\\]tiles-[0-9a-f]{16}\.json$/);
    using other = await Gpu.create();
    assertEquals(await tune(other, { folder }), {
      tiles,
      source: "kept",
      measured: (await tune(gpu)).measured,
      file,
    });
    if (!gpu.isCpu) return;
    await writeKept(gpu, file!, { tiles: SLOW, measured: new Date().toISOString() });
    using third = await Gpu.create();
    assertEquals((await tune(third, { folder })).tiles, SLOW);
    assertEquals(tileFor(third, "matmul"), "registers");
    assertEquals(tileFor(gpu, "matmul"), tiles.matmul);
    assertEquals((await tune(third, { folder, again: true })).source, "measured");
    assertEquals((await readKept(gpu, file!))?.measured, (await tune(third)).measured);
  });
});

gpuTest("tune: a kept file that is damaged, old or of other tiles counts as none", async (gpu) => {
  await inFolder(async (folder) => {
    const file = (await keptFile(gpu, folder))!;
    const now = new Date().toISOString();
    const { tiles } = await tune(gpu, { folder, again: true });
    const days = (count: number) => new Date(Date.now() + count * 24 * 3600 * 1000).toISOString();
    const kept = { tiles, measured: now };
    await writeKept(gpu, file, kept);
    assertEquals((await readKept(gpu, file))?.tiles, tiles);
    await Deno.writeTextFile(file, JSON.stringify({ tiles, measured: days(-29) }));
    assertEquals((await readKept(gpu, file))?.tiles, tiles);
    const unusable = [
      ...["", "{", "null", "[]", "7", '{"tiles":null}'],
      JSON.stringify({ tiles }),
      JSON.stringify({ tiles, measured: "yesterday" }),
      JSON.stringify({ tiles, measured: days(-31) }),
      JSON.stringify({ tiles, measured: days(1) }),
      JSON.stringify({ measured: now, tiles: { ...tiles, matmul: "8×8" } }),
      JSON.stringify({ measured: now, tiles: { matmul: tiles.matmul } }),
    ];
    for (const text of unusable) {
      await Deno.writeTextFile(file, text);
      assertEquals(await readKept(gpu, file), undefined, text);
    }
    using other = await Gpu.create();
    assertEquals((await tune(other, { folder })).source, "measured");
    assertEquals((await readKept(gpu, file))?.measured, (await tune(other)).measured);
  });
});

gpuTest("tune: without a folder that can be written it lasts for the process", async () => {
  using gpu = await Gpu.create();
  const blocked = await Deno.makeTempFile();
  assertEquals((await tune(gpu, { folder: join(blocked, "coda") })).source, "measured");
  assertEquals(await Deno.readTextFile(blocked), "");
  await Deno.remove(blocked);
});

gpuTest("tune: the user's folder for caches, or none", async () => {
  const folder = await Deno.makeTempDir();
  assertMatch(await keptBy({ XDG_CACHE_HOME: folder }), /[/\\]coda[/\\]tiles-[0-9a-f]{16}\.json$/);
  assertEquals(await keptBy({ XDG_CACHE_HOME: "", HOME: "", LOCALAPPDATA: "" }), "none");
  await Deno.remove(folder, { recursive: true });
});

gpuTest("tune: asks for no permission", async () => {
  const args = ["run", "--no-prompt", "--quiet", script("unprivileged.ts")];
  assertEquals(await printed(args), "measured, no file");
});

gpuTest("tune: a device that may use hardly any memory keeps the tiles of its kind", async () => {
  await inFolder(async (folder) => {
    for (const option of [{ memoryBytes: 2 ** 18 }, { limits: SMALL }]) {
      using gpu = await Gpu.create(option);
      const { source, tiles } = await flat(gpu, () => tune(gpu, { folder }));
      assertEquals(source, "default");
      assertEquals(tiles.matmul, candidates[gpu.isCpu ? "cpu" : "gpu"].matmul[0]);
    }
    assertEquals(await namesIn(folder), []);
  });
});

/** Runs `work` with an empty folder. */
async function inFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await work(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function namesIn(folder: string): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => join(folder, name));
}

/** The file of tiles in a process with these variables: they are a process's, not a test's. */
function keptBy(variables: Record<string, string>): Promise<string> {
  const given = Object.entries(variables).map(([name, value]) => `${name}=${value}`);
  return printed(["run", "-A", "--quiet", script("kept_by.ts"), ...given]);
}

function script(name: string): string {
  return new URL(name, import.meta.url).href;
}

/** What a process of Deno prints. */
async function printed(args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args,
    env: {
      DENO_WEBGPU_BACKEND: "vulkan",
      XDG_RUNTIME_DIR: Deno.env.get("XDG_RUNTIME_DIR") ?? "/tmp",
    },
  }).output();
  const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  assert(success, decode(stderr));
  return decode(stdout).trim();
}
