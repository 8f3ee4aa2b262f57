import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { UsageError } from "../../src/cli/errors.ts";
import {
  booleanFlag,
  bytesFlag,
  choiceFlag,
  flagsHelp,
  numberFlag,
  parseFlags,
  stringFlag,
  wrap,
} from "../../src/cli/flags.ts";

const flags = {
  json: booleanFlag("print JSON"),
  out: stringFlag("the folder to write", { short: "o", value: "DIR" }),
  warmupSteps: numberFlag("steps of the quantizer alone", { default: 0, min: 0, integer: true }),
  lr: numberFlag("learning rate", { default: 5e-4 }),
  format: choiceFlag("the image format", ["png", "jpeg", "webp"], { default: "png" }),
};

Deno.test("flags: defaults", () => {
  assertEquals(parseFlags(flags, []), {
    flags: {
      json: false,
      out: undefined,
      warmupSteps: 0,
      lr: 5e-4,
      format: "png",
    },
    args: [],
  });
});

Deno.test("flags: values, short names, and arguments kept as typed", () => {
  const args = ["--json", "1.50", "-o", "runs", "--warmup-steps=20", "--lr=-0.5", "--format"];
  const more = ["webp", "--", "--not-a-flag", "007"];
  const found = parseFlags(flags, [...args, ...more]);
  assertEquals(found.flags, {
    json: true,
    out: "runs",
    warmupSteps: 20,
    lr: -0.5,
    format: "webp",
  });
  assertEquals(found.args, ["1.50", "--not-a-flag", "007"]);
});

Deno.test("flags: bytes in decimal and binary units", () => {
  const read = (text: string) =>
    parseFlags({ memory: bytesFlag("how much") }, [`--memory=${text}`]).flags.memory;
  const found = ["2GB", "512MiB", "1.5 kb", "3b", "1TiB"].map(read);
  assertEquals(found, [2e9, 512 * 2 ** 20, 1500, 3, 2 ** 40]);
  for (const text of ["2", "GB", "-1MB", "0GB", "2iB", "1e9B", "2 GBs"]) {
    assertThrows(() => read(text), UsageError, "--memory takes a size such as 2GB or 512MiB");
  }
});

function refused(args: string[], message: string): void {
  assertThrows(() => parseFlags(flags, args), UsageError, message);
}

Deno.test("flags: what is wrong is named, with what was meant", () => {
  refused(["--warmup-step", "3"], "unknown flag --warmup-step; did you mean --warmup-steps?");
  refused(["--xyzzy"], "unknown flag --xyzzy");
  refused(["-z"], "unknown flag -z");
  refused(["--__proto__=1"], "unknown flag --__proto__");
  refused(["--no-json"], "unknown flag --no-json");
  refused(["--out"], "--out needs a value, DIR");
  refused(["--out", "--json"], "--out needs a value, DIR");
  refused(["--lr", "-1"], "--lr=-…");
  refused(["--json=no"], '--json takes no value; found "no"');
  refused(["--warmup-steps", "many"], "--warmup-steps takes a whole number of 0 or more");
  refused(["--warmup-steps", "1.5"], 'found "1.5"');
  refused(["--warmup-steps=-1"], 'found "-1"');
  refused(["--format", "pgn"], 'found "pgn"; did you mean png?');
});

Deno.test("flags: the help names each flag, its value and its default", () => {
  const help = flagsHelp(flags);
  for (const line of help.split("\n")) assertEquals(line.length <= 80, true, line);
  assertStringIncludes(help, "  -o, --out DIR ");
  assertStringIncludes(help, "--warmup-steps N");
  assertStringIncludes(help, "(default 0)");
  assertStringIncludes(help, "--format png|jpeg|webp");
});

Deno.test("wrap breaks at spaces and leaves long words whole", () => {
  assertEquals(wrap("one two three", 7), ["one two", "three"]);
  assertEquals(wrap("incomprehensibilities a b", 5), ["incomprehensibilities", "a b"]);
});
