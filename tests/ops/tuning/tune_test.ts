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
  await inFolder(async () => {
    const { tiles, source, measured } = await flat(gpu, () => tune(gpu, { again: true }));
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
    const { tiles, file } = await tune(gpu, { again: true });
    assertEquals(await namesIn(folder), [file]);
    assertMatch(file!, /[/\\]coda[/\\]tiles-[0-9a-f]{16}\.json$/);
    using other = await Gpu.create();
    assertEquals(await tune(other), {
      tiles,
      source: "kept",
      measured: (await tune(gpu)).measured,
      file,
    });
    if (!gpu.isCpu) return;
    await writeKept(gpu, file!, { tiles: SLOW, measured: new Date().toISOString() });
    using third = await Gpu.create();
    assertEquals((await tune(third)).tiles, SLOW);
    assertEquals(tileFor(third, "matmul"), "registers");
    assertEquals(tileFor(gpu, "matmul"), tiles.matmul);
    assertEquals((await tune(third, { again: true })).source, "measured");
    assertEquals((await readKept(gpu, file!))?.measured, (await tune(third)).measured);
  });
});

gpuTest("tune: a kept file that is damaged, old or of other tiles counts as none", async (gpu) => {
  await inFolder(async () => {
    const file = (await keptFile(gpu))!;
    const now = new Date().toISOString();
    const { tiles } = await tune(gpu, { again: true });
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
    assertEquals((await tune(other)).source, "measured");
    assertEquals((await readKept(gpu, file))?.measured, (await tune(other)).measured);
  });
});

gpuTest("tune: without a folder that can be written it lasts for the process", async () => {
  const blocked = await Deno.makeTempFile();
  await withVariables({ XDG_CACHE_HOME: blocked }, async () => {
    using gpu = await Gpu.create();
    const { source } = await tune(gpu);
    assertEquals(source, "measured");
  });
  assertEquals(await Deno.readTextFile(blocked), "");
  await Deno.remove(blocked);
  await withVariables({ XDG_CACHE_HOME: "", HOME: "", LOCALAPPDATA: "" }, async () => {
    using gpu = await Gpu.create();
    assertEquals(await keptFile(gpu), undefined);
  });
});

gpuTest("tune: asks for no permission", async () => {
  const script = new URL("unprivileged.ts", import.meta.url);
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "--quiet", script.href],
    env: {
      DENO_WEBGPU_BACKEND: "vulkan",
      XDG_RUNTIME_DIR: Deno.env.get("XDG_RUNTIME_DIR") ?? "/tmp",
    },
  }).output();
  const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  assert(success, decode(stderr));
  assertEquals(decode(stdout).trim(), "measured, no file");
});

gpuTest("tune: a device that may use hardly any memory keeps the tiles of its kind", async () => {
  await inFolder(async (folder) => {
    for (const option of [{ memoryBytes: 2 ** 18 }, { limits: SMALL }]) {
      using gpu = await Gpu.create(option);
      const { source, tiles } = await flat(gpu, () => tune(gpu));
      assertEquals(source, "default");
      assertEquals(tiles.matmul, candidates[gpu.isCpu ? "cpu" : "gpu"].matmul[0]);
    }
    assertEquals(await namesIn(folder), []);
  });
});

/** Runs `work` with an empty folder for caches. */
async function inFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await withVariables({ XDG_CACHE_HOME: folder }, () => work(folder));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function withVariables(
  variables: Record<string, string>,
  work: () => Promise<void>,
): Promise<void> {
  const before = Object.keys(variables).map((name) => [name, Deno.env.get(name)] as const);
  for (const [name, value] of Object.entries(variables)) Deno.env.set(name, value);
  try {
    await work();
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) Deno.env.delete(name);
      else Deno.env.set(name, value);
    }
  }
}

async function namesIn(folder: string): Promise<string[]> {
  const inside = join(folder, "coda");
  try {
    return (await Array.fromAsync(Deno.readDir(inside))).map(({ name }) => join(inside, name));
  } catch {
    return [];
  }
}
