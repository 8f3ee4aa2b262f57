/** The name of the package's cache. */
const CACHE = "coda";

/**
 * Fetches a file of the package. What comes from a server is kept, by its address, which has the
 * package's version in it: the next time asks nobody. Where nothing can be kept, it is fetched anew.
 *
 * @throws {TypeError} where it cannot be reached, or the server has it not.
 */
export async function fetchKept(url: URL): Promise<Uint8Array> {
  const cache = url.protocol === "file:" ? undefined : await openCache();
  const kept = await cache?.match(url).then((found) => found?.bytes()).catch(() => undefined);
  if (kept) return kept;
  const response = await fetch(url);
  if (!response.ok) {
    await response.body?.cancel();
    throw new TypeError(`${url.host} answered ${response.status}`);
  }
  const bytes = await response.bytes(); // whole before it is kept
  await cache?.put(url, new Response(bytes)).catch(() => {});
  return bytes;
}

async function openCache(): Promise<Cache | undefined> {
  if (!("caches" in globalThis)) return undefined;
  try {
    return await caches.open(CACHE);
  } catch {
    return undefined; // a browser's private window, a disk that is full or read-only
  }
}
