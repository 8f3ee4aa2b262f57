import { assertEquals } from "@std/assert";
import { RunDisplay } from "../../src/cli/work/run_display.ts";

Deno.test("Ctrl-C is answered at once, but not among a run's JSON or where nothing is to be said", () => {
  const lines: string[] = [];
  const { error } = console;
  console.error = (line: string) => void lines.push(line);
  try {
    for (const [json, quiet] of [[false, false], [true, false], [false, true]]) {
      using display = new RunDisplay({ json, quiet });
      display.stopping();
    }
  } finally {
    console.error = error;
  }
  assertEquals(lines, [
    "coda: stops after the step or images under way and saves; Ctrl-C again ends it at once",
  ]);
});
