import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { CheckpointError, pullCheckpoint, type PullOptions } from "../../../src/checkpoint/mod.ts";
import { type HubServer, serveHub } from "./hub_server.ts";

/** Bytes that differ from each other and from file to file. */
function bytes(length: number, seed = 1): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length }, (_, i) => Math.imul(i + seed, 2654435761) >>> 24);
}

const FILES = {
  "README.md": bytes(10),
  "config.json": bytes(50),
  "model.safetensors": bytes(100_000),
  "model.fp16.safetensors": bytes(50_000),
  "other/readme.txt": bytes(3),
};

async function withHub(
  files: Record<string, Uint8Array<ArrayBuffer>>,
  test: (hub: HubServer, options: PullOptions & { cache: string }) => Promise<void>,
): Promise<void> {
  await using hub = serveHub(files);
  const cache = await Deno.makeTempDir();
  try {
    await test(hub, { cache, hubUrl: hub.url, accessToken: "" });
  } finally {
    await Deno.remove(cache, { recursive: true });
  }
}

Deno.test("pull: a folder's weights and config.json, and nothing else", () =>
  withHub(FILES, async (hub, options) => {
    const heard: number[][] = [];
    const onProgress = (...now: number[]) => void heard.push(now);
    const { path, files, commit, bytes } = await pullCheckpoint("hf:owner/name", {
      ...options,
      onProgress,
    });
    assertEquals(commit, hub.commit);
    assertEquals(files, [join(path, "config.json"), join(path, "model.safetensors")]);
    assertEquals(bytes, 100_050);
    for (const name of ["config.json", "model.safetensors"] as const) {
      assertEquals(await Deno.readFile(join(path, name)), FILES[name]);
    }
    assertEquals(heard[0], [0, 100_050]);
    assertEquals(heard.at(-1), [100_050, 100_050]);
    const left = (await Array.fromAsync(Deno.readDir(path))).map(({ name }) => name).sort();
    assertEquals(left, ["config.json", "model.safetensors"]);
  }));

Deno.test("pull: a file with its configuration, a pipeline's autoencoder, an index with its shards", () => {
  const files = {
    "model_index.json": bytes(9),
    "big.safetensors": bytes(20),
    "vae/config.json": bytes(10),
    "vae/diffusion_pytorch_model.safetensors": bytes(30),
    "shards/model.safetensors.index.json": bytes(10),
    "shards/model-00001-of-00002.safetensors": bytes(11),
    "shards/model-00002-of-00002.safetensors": bytes(12),
    "coda/vae.pth": bytes(5),
    "coda/vae_ema.pth": bytes(6),
    "coda/quantizer.pth": bytes(7),
    "coda/quantizer_ema.pth": bytes(8),
  };
  return withHub(files, async (_, options) => {
    const pulled = async (path: string, weights?: "trained") => {
      const found = await pullCheckpoint(`hf:owner/name${path}`, { ...options, weights });
      const root = join(options.cache, "owner--name", found.commit);
      return [found.path, ...found.files].map((file) => file.slice(root.length));
    };
    const vae = "/vae/diffusion_pytorch_model.safetensors";
    assertEquals(await pulled(""), ["/vae", "/vae/config.json", vae]);
    assertEquals(await pulled(vae), [vae, "/vae/config.json", vae]);
    assertEquals(await pulled("/big.safetensors"), ["/big.safetensors", "/big.safetensors"]);
    assertEquals((await pulled("/shards")).length, 4);
    assertEquals((await pulled("/shards/model.safetensors.index.json")).length, 4);
    assertEquals(await pulled("/coda"), ["/coda", "/coda/vae_ema.pth", "/coda/quantizer_ema.pth"]);
    assertEquals(await pulled("/coda", "trained"), [
      "/coda",
      "/coda/vae.pth",
      "/coda/quantizer.pth",
    ]);
  });
});

Deno.test("pull: a connection that breaks is gone on with, in this pull and in the next", () =>
  withHub({ "model.safetensors": bytes(100_000) }, async (hub, options) => {
    hub.cuts = [30_000];
    const { path } = await pullCheckpoint("hf:owner/name", options);
    assertEquals(await Deno.readFile(join(path, "model.safetensors")), bytes(100_000));
    const from = Number(hub.asked.at(-1)!.split(" ").at(-1));
    assertEquals(from > 0 && from <= 30_000, true, hub.asked.join());

    hub.commit = "2".repeat(40);
    const stop = new AbortController();
    const onProgress = (done: number) => done > 0 && stop.abort();
    await assertRejects(() =>
      pullCheckpoint("hf:owner/name", { ...options, signal: stop.signal, onProgress })
    );
    const folder = join(options.cache, "owner--name", hub.commit);
    const { size } = await Deno.stat(join(folder, "model.safetensors.part"));
    const next = await pullCheckpoint("hf:owner/name", options);
    assertEquals(hub.asked.at(-1), `resolve model.safetensors from ${size}`);
    assertEquals(await Deno.readFile(join(next.path, "model.safetensors")), bytes(100_000));
  }));

Deno.test("pull: bytes without the announced checksum never get the file's name", () =>
  withHub({ "model.safetensors": bytes(1000), "config.json": bytes(3) }, async (hub, options) => {
    hub.liesAboutChecksums = true;
    const error = await assertRejects(
      () => pullCheckpoint("hf:owner/name", options),
      CheckpointError,
      "checksum",
    );
    assertStringIncludes(error.message, "config.json");
    hub.liesAboutChecksums = false;
    const { path } = await pullCheckpoint("hf:owner/name", options);
    assertEquals(await Deno.readFile(join(path, "model.safetensors")), bytes(1000));
  }));

Deno.test("pull: a hub that lists files elsewhere is refused before anything is written", () =>
  withHub({ "a/model.safetensors": bytes(10) }, async (hub, options) => {
    for (
      const stray of ["../x.safetensors", "/etc/x.pth", "a/../../x.bin", "b/x.pt", "a/..\\x.pt"]
    ) {
      hub.strays = [stray];
      const refused = pullCheckpoint("hf:owner/name/a", options);
      await assertRejects(() => refused, CheckpointError, "which is not in it");
    }
    assertEquals(await Array.fromAsync(Deno.readDir(options.cache)), []);
  }));

Deno.test("pull: a token that is none is told as that, and not as a hub out of reach", () =>
  withHub({ "model.safetensors": bytes(10) }, async (hub, options) => {
    await pullCheckpoint("hf:owner/name", options);
    const wrong = { ...options, accessToken: "secret" };
    await assertRejects(() => pullCheckpoint("hf:owner/name", wrong), CheckpointError, "HF_TOKEN");
    hub.token = "hf_right";
    await pullCheckpoint("hf:owner/name", { ...options, accessToken: "hf_right\n" });
    hub.token = "hf_oauth_eyJhbGciOiJFZERTQSJ9.e30.b3-Zw";
    await pullCheckpoint("hf:owner/name@main", { ...options, accessToken: hub.token });
  }));

Deno.test("pull: a hub that ignores where to go on costs that download, not the file", () =>
  withHub({ "model.safetensors": bytes(1000) }, async (hub, options) => {
    hub.ignoresRanges = true;
    hub.cuts = [500];
    await assertRejects(
      () => pullCheckpoint("hf:owner/name", options),
      CheckpointError,
      "more than",
    );
    const { path } = await pullCheckpoint("hf:owner/name", options);
    assertEquals(await Deno.readFile(join(path, "model.safetensors")), bytes(1000));
  }));

Deno.test("pull: a commit that was pulled asks nobody; a branch asks whether it has moved", () =>
  withHub(FILES, async (hub, options) => {
    await pullCheckpoint(`hf:owner/name@${hub.commit}`, options);
    await pullCheckpoint("hf:owner/name", options);
    const asked = hub.asked.length;
    await pullCheckpoint(`hf:owner/name@${hub.commit}`, options);
    assertEquals(hub.asked.length, asked);
    await pullCheckpoint("hf:owner/name", options);
    assertEquals(hub.asked.slice(asked), ["revision main", "tree "]);
  }));

Deno.test("pull: without the hub, what was pulled before, else an error that names it", async () => {
  const cache = await Deno.makeTempDir();
  let address = "";
  const files = { "model.safetensors": bytes(10) };
  await withHub(files, async (hub, options) => {
    address = hub.url;
    await pullCheckpoint("hf:owner/name", { ...options, cache });
  });
  const reasons: string[] = [];
  const onOffline = (reason: string) => void reasons.push(reason);
  const options = { cache, hubUrl: address, accessToken: "", onOffline };
  assertEquals((await pullCheckpoint("hf:owner/name", options)).bytes, 10);
  assertEquals(reasons.length, 1);
  await assertRejects(
    () => pullCheckpoint("hf:owner/another", options),
    CheckpointError,
    `cannot be pulled: ${address} cannot be reached`,
  );
  await Deno.remove(cache, { recursive: true });
});

Deno.test("pull: what is not there, may not be read, or is not one checkpoint", () => {
  const files = { "a.safetensors": bytes(1), "b.safetensors": bytes(2), "docs/x.txt": bytes(3) };
  return withHub(files, async (hub, options) => {
    const refused = (text: string, message: string) =>
      assertRejects(() => pullCheckpoint(text, options), CheckpointError, message);
    await refused("hf:owner/name", "holds 2 .safetensors files");
    await refused("hf:owner/name/docs", "holds no weight file");
    await refused("hf:owner/name/c.safetensors", "is not there; beside it are a.safetensors, b.s");
    await refused("hf:owner/none", "is not on the hub");
    await refused("hf:owner/name/none", "is not on the hub");
    hub.token = "hf_secret";
    await refused("hf:owner/name/a.safetensors", "HF_TOKEN");
    const opened = await pullCheckpoint("hf:owner/name/a.safetensors", {
      ...options,
      accessToken: "hf_secret",
    });
    assertEquals(opened.bytes, 1);
  });
});
