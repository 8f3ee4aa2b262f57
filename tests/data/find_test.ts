import { assertEquals, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { findImages, ImageError } from "../../src/data/mod.ts";

async function tree(paths: string[]): Promise<string> {
  const folder = await Deno.makeTempDir();
  for (const path of paths) {
    await Deno.mkdir(join(folder, path, ".."), { recursive: true });
    await Deno.writeFile(join(folder, path), new Uint8Array());
  }
  return folder;
}

async function names(folder: string, paths = [folder]): Promise<string[]> {
  return (await findImages(paths)).map((path) => path.slice(folder.length + 1));
}

Deno.test("findImages goes down folders, in an order that no language changes", async () => {
  const folder = await tree([
    "b.png",
    "a.JPG",
    "Z.jpeg",
    "ä.webp",
    "sub/deep/x.avif",
    "sub/10.gif",
    "sub/9.tiff",
    "notes.txt",
    ".hidden.png",
    "._a.JPG",
    ".git/c.png",
  ]);
  assertEquals(await names(folder), [
    "Z.jpeg",
    "a.JPG",
    "b.png",
    "sub/10.gif",
    "sub/9.tiff",
    "sub/deep/x.avif",
    "ä.webp",
  ]);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("findImages takes files as they are given, each once", async () => {
  const folder = await tree(["b.png", "a.png", "odd.bin"]);
  const at = (name: string) => join(folder, name);
  const paths = [at("odd.bin"), at("b.png"), folder, at("b.png")];
  assertEquals(await names(folder, paths), ["odd.bin", "b.png", "a.png"]);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("findImages follows links and ends where they go round", async () => {
  const folder = await tree(["real/a.png"]);
  await Deno.symlink(join(folder, "real"), join(folder, "real/round"));
  await Deno.symlink(join(folder, "real/a.png"), join(folder, "link.png"));
  await Deno.symlink(join(folder, "gone.png"), join(folder, "broken.png"));
  assertEquals(await names(folder), ["link.png", "real/a.png"]);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("findImages says which path is missing or holds no image", async () => {
  const folder = await tree(["notes.txt", "sub/more.txt"]);
  const gone = join(folder, "gone");
  await assertRejects(() => findImages([gone]), ImageError, `${gone}: there is no such file`);
  await assertRejects(() => findImages([folder]), ImageError, `${folder}: holds no images`);
  await Deno.remove(folder, { recursive: true });
});
