import { assertEquals } from "@std/assert";
import { crc32c } from "../../../src/train/tensorboard/crc32c.ts";
import { imageEvent, scalarsEvent, versionEvent } from "../../../src/train/tensorboard/event.ts";
import { EventFiles } from "../../../src/train/tensorboard/event_files.ts";
import { encodeRecord } from "../../../src/train/tensorboard/record.ts";
import { withFolder } from "../../data/photos.ts";
import { eventsIn } from "./read_events.ts";

const TIME = { wallTime: 1.5, step: 300 };

Deno.test("crc32c: the check value of the standard", () => {
  assertEquals(crc32c(new TextEncoder().encode("123456789")), 0xe3069283);
  assertEquals(crc32c(new Uint8Array()), 0);
});

// Made bit by bit by a few lines of Python; the first twelve bytes are those of any file that
// TensorFlow writes.
Deno.test("events and their records are the known bytes", () => {
  const hex = (event: Uint8Array) => encodeRecord(event).toHex();
  assertEquals(
    hex(versionEvent(1.5)),
    "1800000000000000a37f4b2209000000000000f83f1a0d627261696e2e4576656e743a322a28646c",
  );
  assertEquals(
    hex(scalarsEvent(TIME, { "loss/total": 0.5, lr: 5e-4 })),
    "2c00000000000000f4aecc4509000000000000f83f10ac022a1e0a110a0a6c6f73732f746f74616c15" +
      "0000003f0a090a026c72156f12033ac8eb26e2",
  );
  const png = Uint8Array.of(0x89, 0x50, 0x4e, 0x47);
  assertEquals(
    hex(imageEvent({ ...TIME, step: 2 }, "samples", { width: 3, height: 200, png })),
    "2700000000000000bbe1b14609000000000000f83f10022a1a0a180a0773616d706c6573220d08c80110" +
      "031803220489504e47f0b0dcf2",
  );
});

Deno.test("EventFiles: a start writes its own file, and cuts what lies beyond its step", async () => {
  await withFolder(async (folder) => {
    const first = new EventFiles(folder, () => 1500);
    await first.truncate(0);
    for (const step of [1, 127, 128, 20_000]) await first.scalars(step, { lr: step });
    const names = async () => (await Array.fromAsync(Deno.readDir(folder), ({ name }) => name));
    assertEquals(await names(), ["events.out.tfevents.1.coda.0"]);
    await Deno.writeFile(`${folder}/events.out.tfevents.1.coda.0`, new Uint8Array(15), {
      append: true, // what a kill amid an event leaves
    });
    const second = new EventFiles(folder, () => 1500);
    await second.truncate(128);
    await second.image(129, "samples", { width: 1, height: 1, png: new Uint8Array(300) });
    await second.scalars(129, { lr: 7 });
    assertEquals((await names()).sort(), [
      "events.out.tfevents.1.coda.0",
      "events.out.tfevents.1.coda.1",
    ]);
    assertEquals(await eventsIn(folder), [
      { wallTime: 1.5, version: "brain.Event:2" },
      { wallTime: 1.5, step: 1, scalars: { lr: 1 } },
      { wallTime: 1.5, step: 127, scalars: { lr: 127 } },
      { wallTime: 1.5, step: 128, scalars: { lr: 128 } },
      { wallTime: 1.5, version: "brain.Event:2" },
      { wallTime: 1.5, step: 129, images: { samples: [1, 1, 3, 300] } },
      { wallTime: 1.5, step: 129, scalars: { lr: 7 } },
    ]);
  });
});
