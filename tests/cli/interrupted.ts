// A program for interrupt_test.ts: registers clean-ups, says that it is ready, and waits.
import { listenForInterrupts, onInterrupt } from "../../src/cli/interrupt.ts";

using _ = listenForInterrupts();
onInterrupt(async () => {
  await new Promise((resolve) => setTimeout(resolve, 20));
  console.log("first registered");
  if (Deno.args.includes("--hang")) await new Promise((resolve) => setTimeout(resolve, 60_000));
});
onInterrupt(() => {
  throw new Error("a clean-up that fails");
});
{
  using _gone = onInterrupt(() => console.log("taken back"));
}
onInterrupt(() => console.log("last registered"));
console.log("ready");
await new Promise((resolve) => setTimeout(resolve, 60_000));
