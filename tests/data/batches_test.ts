import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { join } from "@std/path";
import { Batches, ImageError, ImageFolder, imageToFloat } from "../../src/data/mod.ts";
import { Gate } from "../../src/data/gate.ts";
import { photos, withFolder } from "./photos.ts";

const options = { size: 8, shortSide: 12, seed: 5 };

Deno.test("Batches: the batch of a step holds that step's samples, in order", () =>
  withFolder(async (path) => {
    await photos(path, 5);
    const folder = await ImageFolder.open([path], options);
    await using batches = new Batches(folder, { batchSize: 3 });
    for (const step of [0, 1, 2, 3, 9, 4]) {
      const batch = await batches.next(step);
      assertEquals(batch.step, step);
      const samples = [];
      for (let b = 0; b < 3; b++) samples.push(await folder.sample(step * 3 + b));
      assertEquals(batch.files, samples.map(({ file }) => file));
      const values = samples.flatMap(({ image }) => [...imageToFloat(image)]);
      assertEquals([...batch.images], values);
    }
  }));

Deno.test("Batches started at a later step continue the same stream", () =>
  withFolder(async (path) => {
    await photos(path, 4);
    const open = async () =>
      new Batches(await ImageFolder.open([path], options), { batchSize: 3, concurrency: 1 });
    await using one = await open();
    for (let step = 0; step < 5; step++) await one.next(step);
    await using other = await open();
    assertEquals(await one.next(5), await other.next(5));
  }));

Deno.test("Batches read nothing ahead where ahead is 0", () =>
  withFolder(async (path) => {
    await photos(path, 1);
    for (let n = 1; n < 40; n++) await Deno.writeTextFile(join(path, `${n}.png`), "no image");
    // Every file but one is reported when it is tried, so the reports tell what was read.
    const onSkip = (file: string) => tried.push(file);
    const tried: string[] = [];
    const folder = await ImageFolder.open([path], { ...options, onSkip });
    const step = [...folder.order(0)].findIndex((i) => folder.files[i].endsWith("/0.png"));
    {
      await using batches = new Batches(folder, { batchSize: 1, ahead: 0 });
      await batches.next(step);
    }
    assertEquals(tried, []);
    {
      await using batches = new Batches(folder, { batchSize: 1, ahead: 1 });
      await batches.next(step);
      await batches.next(step + 1);
    }
    assertEquals(tried.length > 0, true);
  }));

Deno.test("Batches tell a failure to whoever asks for the step", () =>
  withFolder(async (path) => {
    await Deno.writeTextFile(join(path, "a.jpg"), "no image");
    await using batches = new Batches(await ImageFolder.open([path], options), { batchSize: 2 });
    await assertRejects(() => batches.next(0), ImageError, "a.jpg");
    await assertRejects(() => batches.next(1), ImageError, "a.jpg");
  }));

Deno.test("Batches refuse options out of range", () =>
  withFolder(async (path) => {
    await photos(path, 1);
    const folder = await ImageFolder.open([path], options);
    assertThrows(() => new Batches(folder, { batchSize: 0 }), RangeError, "batchSize is 0");
    assertThrows(() => new Batches(folder, { batchSize: 1, ahead: -1 }), RangeError, "ahead");
    assertThrows(() => new Batches(folder, { batchSize: 1, concurrency: 0.5 }), RangeError);
  }));

Deno.test("Gate lets no more than its width of jobs run, and all of them", async () => {
  const gate = new Gate(3);
  let running = 0;
  let most = 0;
  const job = async (i: number) => {
    most = Math.max(most, ++running);
    await new Promise((resolve) => setTimeout(resolve, 1));
    running--;
    if (i % 5 === 0) throw new Error("a job failed");
  };
  // Each job that ends brings another one, so that new ones meet others waiting.
  const chain = (i: number) => gate.run(() => job(i)).finally(() => gate.run(() => job(i + 1)));
  const results = await Promise.allSettled(Array.from({ length: 20 }, (_, i) => chain(i)));
  assertEquals([most, running], [3, 0]);
  // Those of 0, 5, 10, 15 fail themselves, those of 4, 9, 14, 19 in the job that they bring.
  assertEquals(results.filter(({ status }) => status === "rejected").length, 8);
});
