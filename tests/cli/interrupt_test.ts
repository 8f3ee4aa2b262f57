import { assertEquals } from "@std/assert";
import { fromFileUrl } from "@std/path";

/** Sends signals to the waiting program, the next when it has written as many lines as told. */
async function interrupt(
  args: string[],
  signals: { afterLines: number; signal: Deno.Signal }[],
): Promise<{ code: number; lines: string[] }> {
  const path = fromFileUrl(new URL("interrupted.ts", import.meta.url));
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", path, ...args],
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  let text = "";
  const lines = () => text.split("\n").filter((line) => line !== "");
  for await (const part of child.stdout.pipeThrough(new TextDecoderStream())) {
    text += part;
    while (signals.length > 0 && lines().length >= signals[0].afterLines) {
      child.kill(signals.shift()!.signal);
    }
  }
  return { code: (await child.status).code, lines: lines() };
}

const ignore = Deno.build.os === "windows"; // it has no signals to send

Deno.test({
  name: "interrupt: clean-ups run from the last to the first, awaited, and the code is 130",
  ignore,
  async fn() {
    const { code, lines } = await interrupt([], [{ afterLines: 1, signal: "SIGINT" }]);
    assertEquals(lines, ["ready", "last registered", "first registered"]);
    assertEquals(code, 130);
  },
});

Deno.test({
  name: "interrupt: a second Ctrl-C does not wait",
  ignore,
  async fn() {
    const { code } = await interrupt(["--hang"], [
      { afterLines: 1, signal: "SIGINT" },
      { afterLines: 3, signal: "SIGINT" },
    ]);
    assertEquals(code, 130);
  },
});

Deno.test({
  name: "interrupt: the request to terminate is 143",
  ignore,
  async fn() {
    const { code, lines } = await interrupt([], [{ afterLines: 1, signal: "SIGTERM" }]);
    assertEquals(lines.length, 3);
    assertEquals(code, 143);
  },
});
