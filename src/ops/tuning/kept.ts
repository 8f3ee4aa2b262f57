import { join } from "@std/path";
import { defineKernel, type Gpu, type KernelName } from "../../gpu/mod.ts";
import { candidates, kindOf, type Slot, type Tiles } from "../tile.ts";

/** Days after which tiles are measured again: a driver's update may change neither name nor limits. */
const DAYS = 30;

/** What tiles are compiled from: where it changes, they are measured again. */
const KERNELS: readonly KernelName[] = [
  ...["matmul", "panels", "pack", "wide_product", "conv2d", "conv2d_grad"] as const,
];

/** Tiles that were measured before. */
export interface KeptTiles {
  readonly tiles: Tiles;
  /** When, as an ISO date. */
  readonly measured: string;
}

/**
 * The file that keeps the tiles of an adapter, by all that it says of itself; undefined where no folder
 * is given and there is no user's folder for caches, or the process may not use it: nothing is ever
 * asked for.
 */
export async function keptFile(gpu: Gpu, given?: string): Promise<string | undefined> {
  const folder = given ?? await cacheFolder();
  if (folder === undefined) return undefined;
  const sources = KERNELS.map((name) => defineKernel(name).source);
  const known = JSON.stringify([gpu.adapter, Deno.version.deno, sources]);
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(known));
  return join(folder, `tiles-${new Uint8Array(digest).toHex().slice(0, 16)}.json`);
}

/** What a file keeps, unless it is old, damaged, or not there. */
export async function readKept(gpu: Gpu, file: string): Promise<KeptTiles | undefined> {
  if (!await may({ name: "read", path: file })) return undefined;
  try {
    const found: unknown = JSON.parse(await Deno.readTextFile(file));
    return isKept(gpu, found) ? found : undefined;
  } catch {
    return undefined; // measured again, and written anew
  }
}

/** Writes the file, whole or not at all; a disk that is full or read-only is no error. */
export async function writeKept(gpu: Gpu, file: string, kept: KeptTiles): Promise<void> {
  const folder = join(file, "..");
  if (!await may({ name: "write", path: folder })) return;
  const temporary = `${file}.${crypto.randomUUID().slice(0, 8)}.tmp`;
  const text = JSON.stringify({ adapter: gpu.adapter.description, ...kept }, null, 2);
  try {
    await Deno.mkdir(folder, { recursive: true });
    await Deno.writeTextFile(temporary, `${text}\n`);
    await Deno.rename(temporary, file);
  } catch {
    await Deno.remove(temporary).catch(() => {});
  }
}

function isKept(gpu: Gpu, found: unknown): found is KeptTiles {
  if (!isRecord(found) || !isRecord(found.tiles)) return false;
  const { tiles, measured } = found;
  const age = Date.now() - Date.parse(String(measured));
  if (!(age >= 0 && age < DAYS * 24 * 3600 * 1000)) return false;
  const slots = Object.entries(candidates[kindOf(gpu)]) as [Slot, readonly unknown[]][];
  return slots.every(([slot, known]) => known.includes(tiles[slot]));
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

/** The user's folder for caches, as each system has it. */
async function cacheFolder(): Promise<string | undefined> {
  if (!("Deno" in globalThis)) return undefined;
  const xdg = await variable("XDG_CACHE_HOME");
  if (xdg !== undefined) return join(xdg, "coda");
  if (Deno.build.os === "windows") {
    const local = await variable("LOCALAPPDATA");
    return local && join(local, "coda");
  }
  const home = await variable("HOME");
  return home && join(home, Deno.build.os === "darwin" ? "Library/Caches" : ".cache", "coda");
}

async function variable(name: string): Promise<string | undefined> {
  const value = await may({ name: "env", variable: name }) ? Deno.env.get(name) : undefined;
  return value || undefined;
}

async function may(permission: Deno.PermissionDescriptor): Promise<boolean> {
  return (await Deno.permissions.query(permission)).state === "granted";
}
