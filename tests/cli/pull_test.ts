import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { serveHub } from "../checkpoint/hub/hub_server.ts";
import { coda } from "./program.ts";

const MODEL = fromFileUrl(new URL("../../models/tiny-kl-f8/", import.meta.url));

Deno.test("coda pull prints where the checkpoint is; inspect takes its place on the hub", async () => {
  const cache = await Deno.makeTempDir();
  const files: Record<string, Uint8Array<ArrayBuffer>> = {};
  for (const name of ["config.json", "model.safetensors"]) {
    files[`vae/${name}`] = await Deno.readFile(join(MODEL, name));
  }
  await using hub = serveHub(files);
  const env = { HF_ENDPOINT: hub.url, HF_TOKEN: "", CODA_CACHE: cache };
  try {
    const { code, stdout, stderr } = await coda(["pull", "hf:owner/name/vae"], env);
    assertEquals(code, 0, stderr);
    const path = stdout.trim();
    assertEquals(path.startsWith(cache), true);
    assertEquals(await Deno.readFile(join(path, "config.json")), files["vae/config.json"]);
    assertMatch(stderr, /^2 files, [\d.]+ MiB, commit 1{12}\n$/);
    const asked = hub.asked.length;

    const json = await coda(["pull", "hf:owner/name/vae", "--json"], env);
    assertEquals(JSON.parse(json.stdout).path, path);
    const inspected = await coda(["inspect", "hf:owner/name/vae", "--json"], env);
    assertEquals(inspected.code, 0, inspected.stderr);
    assertEquals(JSON.parse(inspected.stdout).vae.layout, "ldm");
    assertEquals(hub.asked.slice(asked).filter((what) => what.startsWith("resolve")), []);

    const none = await coda(["pull", "hf:owner/name/other"], env);
    assertEquals(none.code, 1);
    assertStringIncludes(none.stderr, "hf:owner/name/other: is not on the hub");
    assertEquals((await coda(["pull", "hf:owner"], env)).code, 1);
  } finally {
    await Deno.remove(cache, { recursive: true });
  }
});
