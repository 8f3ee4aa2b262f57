import { assertEquals, assertThrows } from "@std/assert";
import { gunzip, tarFiles } from "../../../src/checkpoint/npm/tar.ts";

/** A tar entry after POSIX: a header block, then the content filled up to blocks. */
function entry(name: string, content: string, { type = "0", prefix = "" } = {}): Uint8Array {
  const bytes = new Uint8Array(512 + Math.ceil(content.length / 512) * 512);
  const put = (text: string, at: number) => bytes.set(new TextEncoder().encode(text), at);
  put(name, 0);
  put(content.length.toString(8).padStart(11, "0"), 124);
  put(type, 156);
  put("ustar\0" + "00", 257);
  put(prefix, 345);
  put(content, 512);
  return bytes;
}

async function archive(...entries: Uint8Array[]): Promise<Uint8Array<ArrayBuffer>> {
  return await new Blob([...entries.map((bytes) => bytes.slice()), new Uint8Array(1024)]).bytes();
}

const listed = (bytes: Uint8Array<ArrayBuffer>) =>
  [...tarFiles(bytes)].map((file) => [file.name, new TextDecoder().decode(file.bytes)]);

Deno.test("tar: files come with their names and contents, everything else is left out", async () => {
  const long = "x".repeat(700);
  const bytes = await archive(
    entry("package/a.txt", "one"),
    entry("package/folder", "", { type: "5" }),
    entry("pax", "17 comment=header\n", { type: "x" }),
    entry("b.txt", long, { prefix: "package/deep" }),
    entry("empty", "", { type: "\0" }),
  );
  assertEquals(listed(bytes), [["package/a.txt", "one"], ["package/deep/b.txt", long], [
    "empty",
    "",
  ]]);
});

Deno.test("tar: a cut archive is told", async () => {
  const bytes = await archive(entry("a", "x".repeat(2000)));
  assertThrows(() => listed(bytes.slice(0, 1024)), RangeError, "cut short");
});

Deno.test("gunzip: undoes gzip", async () => {
  const text = "coda ".repeat(100);
  const zipped = new Blob([text]).stream().pipeThrough(new CompressionStream("gzip"));
  const bytes = await gunzip(await new Response(zipped).bytes());
  assertEquals(new TextDecoder().decode(bytes), text);
});
