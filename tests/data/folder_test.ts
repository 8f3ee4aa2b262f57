import { assertEquals, assertNotEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { ImageError, ImageFolder, type ImageFolderOptions, saveImage } from "../../src/data/mod.ts";
import { bytesOf, photos, withFolder } from "./photos.ts";

const options: ImageFolderOptions = { size: 8, shortSide: 12, seed: 5 };

Deno.test("ImageFolder's order is a shuffle by seed and epoch", () =>
  withFolder(async (path) => {
    await photos(path, 20);
    const order = async (
      seed: number,
      epoch: number,
    ) => [...(await ImageFolder.open([path], { ...options, seed })).order(epoch)];
    const all = Array.from({ length: 20 }, (_, i) => i);
    const first = await order(5, 0);
    assertEquals([...first].sort((a, b) => a - b), all);
    assertNotEquals(first, all);
    assertEquals(await order(5, 0), first);
    assertNotEquals(await order(5, 1), first);
    assertNotEquals(await order(6, 0), first);
    assertNotEquals(await order(5 + 2 ** 32, 0), first);
  }));

Deno.test("ImageFolder shows every file once in an epoch, in the epoch's order", () =>
  withFolder(async (path) => {
    await photos(path, 6);
    const folder = await ImageFolder.open([path], options);
    for (const epoch of [0, 1, 7]) {
      const seen: string[] = [];
      for (let i = 0; i < 6; i++) seen.push((await folder.sample(epoch * 6 + i)).file);
      assertEquals(seen, [...folder.order(epoch)].map((i) => folder.files[i]));
    }
  }));

Deno.test("ImageFolder: a sample depends on its number alone, and crops differ", () =>
  withFolder(async (path) => {
    await photos(path, 1);
    const one = await ImageFolder.open([path], options);
    const forwards = [];
    for (let n = 0; n < 12; n++) forwards.push(bytesOf(await one.sample(n)));
    const other = await ImageFolder.open([path], options);
    for (let n = 11; n >= 0; n--) assertEquals(bytesOf(await other.sample(n)), forwards[n]);
    // A 18×12 image has 11·5 places for an 8×8 crop: twelve draws are not all the same.
    assertEquals(new Set(forwards).size > 4, true);
  }));

Deno.test("ImageFolder takes 9/8 of the crop as the short side by default", () =>
  withFolder(async (path) => {
    await photos(path, 1);
    const side = async (size: number) =>
      (await ImageFolder.open([path], { size, seed: 0 })).shortSide;
    assertEquals([await side(256), await side(64), await side(1)], [288, 72, 2]);
  }));

Deno.test("ImageFolder reports a bad image once and shows the next of the order in its place", () =>
  withFolder(async (path) => {
    await photos(path, 5);
    await Deno.writeTextFile(join(path, "bad.jpg"), "no image");
    const narrow = { width: 1, height: 900, data: new Uint8Array(2700) };
    await saveImage(join(path, "narrow.png"), narrow);
    const skipped: string[] = [];
    const onSkip = (file: string, error: ImageError) => {
      skipped.push(file.slice(path.length + 1));
      assertStringIncludes(error.message, file);
    };
    const open = () => ImageFolder.open([path], { ...options, maxPixels: 5000, onSkip });
    const folder = await open();
    const files = [];
    for (let n = 0; n < 14; n++) files.push((await folder.sample(n)).file);
    assertEquals(skipped.sort(), ["bad.jpg", "narrow.png"]);
    assertEquals(folder.skipped, 2);
    const order = [...folder.order(0), ...folder.order(0)].map((i) => folder.files[i]);
    const good = (file: string) => !/bad|narrow/.test(file);
    const expected = order.slice(0, 7).map((_, n) => order.slice(n).find(good)!);
    assertEquals(files.slice(0, 7), expected);
    // A run that starts late and has not met the bad images yet sees the same.
    assertEquals((await (await open()).sample(13)).file, files[13]);
  }));

Deno.test("ImageFolder reports a bad image once, also when several samples meet it together", () =>
  withFolder(async (path) => {
    await photos(path, 1);
    await Deno.writeTextFile(join(path, "bad.jpg"), "no image");
    let reports = 0;
    const folder = await ImageFolder.open([path], { ...options, onSkip: () => reports++ });
    await Promise.all(Array.from({ length: 8 }, (_, n) => folder.sample(n)));
    assertEquals([reports, folder.skipped], [1, 1]);
  }));

Deno.test("ImageFolder says so when no image can be used", () =>
  withFolder(async (path) => {
    for (const name of ["a.jpg", "b.png"]) await Deno.writeTextFile(join(path, name), "no image");
    const folder = await ImageFolder.open([path], options);
    await assertRejects(() => folder.sample(3), ImageError, "all other images given (2 in all)");
  }));

Deno.test("ImageFolder refuses options out of range", () =>
  withFolder(async (path) => {
    await photos(path, 1);
    for (
      const wrong of [{ size: 0 }, { size: 13 }, { shortSide: 8.5 }, { seed: -1 }, { seed: 0.5 }]
    ) {
      await assertRejects(() => ImageFolder.open([path], { ...options, ...wrong }), RangeError);
    }
  }));
