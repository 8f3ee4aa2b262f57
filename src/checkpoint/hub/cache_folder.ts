import { join } from "@std/path";

/**
 * The folder for what the package keeps for this user between runs: $CODA_CACHE, else `coda` in the
 * system's folder of caches.
 */
export function cacheFolder(): string {
  const own = Deno.env.get("CODA_CACHE");
  if (own) return own;
  const home = Deno.env.get("HOME") ?? Deno.env.get("USERPROFILE") ?? ".";
  const inHome = join(home, Deno.build.os === "darwin" ? "Library/Caches" : ".cache");
  return join(Deno.env.get("XDG_CACHE_HOME") ?? Deno.env.get("LOCALAPPDATA") ?? inHome, "coda");
}
