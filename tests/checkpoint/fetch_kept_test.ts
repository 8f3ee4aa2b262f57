import { assertEquals, assertRejects } from "@std/assert";
import { fetchKept } from "../../src/checkpoint/fetch_kept.ts";

/** A server on this machine that counts what it is asked, and has one file. */
async function withServer(test: (url: (path: string) => URL, asked: string[]) => Promise<void>) {
  const asked: string[] = [];
  const options = { port: 0, hostname: "127.0.0.1", onListen: () => {} };
  await using server = Deno.serve(options, ({ url }) => {
    const { pathname } = new URL(url);
    asked.push(pathname);
    return pathname.endsWith("/model")
      ? new Response(new Uint8Array([1, 2, 3]))
      : new Response("none", { status: 404 });
  });
  // Ports come again, and what is kept stays: a run's addresses are its own.
  const base = `http://127.0.0.1:${server.addr.port}/${crypto.randomUUID()}/`;
  try {
    await test((path) => new URL(path, base), asked);
  } finally {
    const cache = await caches.open("coda");
    for (const path of ["1/model", "2/model"]) await cache.delete(new URL(path, base));
  }
}

Deno.test("fetchKept: a server is asked once for each version's file", () =>
  withServer(async (url, asked) => {
    for (const version of ["1", "1", "2", "1"]) {
      assertEquals([...await fetchKept(url(`${version}/model`))], [1, 2, 3]);
    }
    assertEquals(asked.map((path) => path.slice(-7)), ["1/model", "2/model"]);
  }));

Deno.test("fetchKept: a refusal is not kept", () =>
  withServer(async (url, asked) => {
    for (let i = 0; i < 2; i++) {
      await assertRejects(() => fetchKept(url("none")), TypeError, "answered 404");
    }
    assertEquals(asked.length, 2);
  }));

Deno.test("fetchKept: where nothing can be kept, it is fetched each time", () =>
  withServer(async (url, asked) => {
    const refuse = () => Promise.reject(new Error("read-only"));
    Object.defineProperty(caches, "open", { value: refuse, configurable: true });
    try {
      for (let i = 0; i < 2; i++) {
        assertEquals([...await fetchKept(url("1/model"))], [1, 2, 3]);
      }
    } finally {
      Reflect.deleteProperty(caches, "open");
    }
    assertEquals(asked.length, 2);
  }));
