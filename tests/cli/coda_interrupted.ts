// A program for tests: `coda`, which is interrupted as soon as it prints.
import { main } from "../../src/cli/main.ts";

const print = console.log;
console.log = (...texts: unknown[]) => {
  print(...texts);
  Deno.kill(Deno.pid, "SIGINT");
};
Deno.exit(await main(Deno.args));
