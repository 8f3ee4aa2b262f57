import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import type { Operation } from "../../bench/report/operation.ts";
import { Torch } from "../../bench/report/torch.ts";

const OPERATION: Operation = { op: "softmax", rows: 1, columns: 1 };
const HELLO = `{"version": "2", "device": "cpu", "name": "a CPU"}`;

/** Starts a program in Python's place. */
async function start(script: string, use: (torch: Torch | string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    const python = join(folder, "python");
    await Deno.writeTextFile(python, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    await use(await Torch.start(python));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const options = { ignore: Deno.build.os === "windows" };

Deno.test(
  "Torch: answers line by line",
  options,
  () =>
    start(
      `echo '${HELLO}'; while read -r line; do echo '{"float32": 0.5}'; done`,
      async (torch) => {
        if (typeof torch === "string") throw new Error(torch);
        await using running = torch;
        assertEquals(running.name, "PyTorch 2 on a CPU");
        assertEquals(await running.time(OPERATION), { float32: 0.5 });
        assertEquals(await running.time(OPERATION), { float32: 0.5 });
      },
    ),
);

Deno.test(
  "Torch: one that stops leaves the rows after it without times",
  options,
  () =>
    start(`echo '${HELLO}'; read -r line`, async (torch) => {
      if (typeof torch === "string") throw new Error(torch);
      await using running = torch;
      for (let row = 0; row < 3; row++) {
        assertEquals(await running.time(OPERATION), { error: "PyTorch stopped" });
      }
    }),
);

Deno.test("Torch: why it does not start", options, async () => {
  assertEquals(await Torch.start("no-such-python"), "there is no no-such-python");
  await start(`echo one >&2; echo two >&2`, (torch) => Promise.resolve(assertEquals(torch, "two")));
  await start(`:`, (torch) => {
    assertEquals(String(torch).endsWith("said nothing"), true);
    return Promise.resolve();
  });
});
