import { assertEquals, assertThrows } from "@std/assert";
import { Problems } from "../../src/cli/problems.ts";
import { Progress } from "../../src/cli/progress.ts";
import { ImageError } from "../../src/data/mod.ts";

Deno.test("a file's problem is one harmless line, whatever its name", () => {
  let text = "";
  const write = (more: string) => text += more;
  const output = { isTerminal: false, columns: () => 80, write };
  using progress = new Progress({ label: "eval", unit: "images", output });
  const problems = new Problems(progress);
  problems.add("a", new ImageError("new\nline\x1b[31m.png", "is not an image"), "; see\nhelp");
  problems.add("b\r.png", new RangeError("is too small"));
  assertEquals(
    text,
    "coda: new\\u000aline\\u001b[31m.png: is not an image; see\nhelp\n" +
      "coda: b\\u000d.png: is too small\n",
  );
  assertEquals(problems.count, 2);
  assertThrows(() => problems.add("c.png", new TypeError("a fault")), TypeError, "a fault");
});
