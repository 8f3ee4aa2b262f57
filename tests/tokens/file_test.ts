import { assertEquals, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { WriteError } from "../../src/checkpoint/errors.ts";
import { encodeTokens, readTokens, TokenFileError, writeTokens } from "../../src/tokens/mod.ts";
import { sample } from "./sample.ts";

Deno.test("token files are written whole and read back", async () => {
  const folder = await Deno.makeTempDir();
  const path = join(folder, "a.coda");
  await writeTokens(path, sample(300));
  assertEquals(await Deno.readFile(path), encodeTokens(sample(300)));
  assertEquals(await readTokens(path), sample(300));
  assertEquals(Array.from(Deno.readDirSync(folder), ({ name }) => name), ["a.coda"]);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("readTokens and writeTokens name the file and the fault", async () => {
  const folder = await Deno.makeTempDir();
  const at = (name: string) => join(folder, name);
  await Deno.writeFile(at("cut.coda"), encodeTokens(sample(300)).subarray(0, 50));
  const refuse = (path: string, message: string) =>
    assertRejects(() => readTokens(path), TokenFileError, `${path}: ${message}`);
  await refuse(at("cut.coda"), "ends at byte 50");
  await refuse(at("none.coda"), "there is no such file");
  await refuse(folder, "is a folder");
  await assertRejects(
    () => writeTokens(at("none/a.coda"), sample(3)),
    WriteError,
    "does not exist",
  );
  await assertRejects(() => writeTokens(at("b"), { ...sample(3), width: 0 }), RangeError);
  assertEquals(Array.from(Deno.readDirSync(folder), ({ name }) => name), ["cut.coda"]);
  await Deno.remove(folder, { recursive: true });
});
