import { assertEquals, assertStringIncludes } from "@std/assert";
import { CheckpointError, WriteError } from "../../src/checkpoint/errors.ts";
import { CommandError, describeError, UsageError } from "../../src/cli/errors.ts";
import { NoAdapterError, OutOfMemoryError } from "../../src/gpu/mod.ts";
import { ShapeError } from "../../src/tensor/mod.ts";
import { TokenFileError } from "../../src/tokens/errors.ts";

Deno.test("errors: usage is one line and where the help is, code 2", () => {
  const error = new UsageError("unknown flag --x");
  const text = "coda: unknown flag --x\nsee coda encode --help";
  assertEquals(describeError(error, { command: "encode" }), { text, code: 2 });
  assertStringIncludes(describeError(error).text, "see coda --help");
});

Deno.test("errors: what a file says of itself is told in part, and moves no cursor", () => {
  const { message } = new CheckpointError("a.pth", `has \x1b[2J${"x".repeat(1e6)}; write it again`);
  assertStringIncludes(message, "a.pth: has \\u001b[2Jxxx");
  assertStringIncludes(message, "xxx; write it again");
  assertEquals(message.length < 700, true);
  assertEquals(describeError(new RangeError("\x1b[2J")).text, "coda: \\u001b[2J");
  assertEquals(describeError(new RangeError("a\u202ehtp.")).text, "coda: a\\u202ehtp.");
});

Deno.test("errors: those of the library are one line, code 1", () => {
  const errors = [
    new CommandError("m"),
    new CheckpointError("a.safetensors", "is cut short"),
    new WriteError("out", "it is full"),
    new TokenFileError("cat.coda", "is not a token file"),
    new NoAdapterError("m"),
    new OutOfMemoryError("m"),
    new ShapeError("conv2d", "m"),
    new RangeError("m"),
  ];
  for (const error of errors) {
    assertEquals(describeError(error), { text: `coda: ${error.message}`, code: 1 });
  }
});

Deno.test("errors: line breaks in a message do not make more lines", () => {
  assertEquals(describeError(new RangeError("one\n  two\n")).text, "coda: one; two");
});

Deno.test("errors: the file system's are put in words", async () => {
  const missing = "/no/such/file";
  try {
    await Deno.open(missing);
  } catch (error) {
    const { text, code } = describeError(error);
    assertEquals(code, 1);
    assertStringIncludes(text, "coda: no such file or directory: open '/no/such/file'");
    return;
  }
  throw new Error("the file exists");
});

Deno.test("errors: a refused permission names its flag", () => {
  const message = 'Requires read access to "x", run again with the --allow-read flag';
  assertEquals(describeError(new Deno.errors.NotCapable(message)).text, `coda: ${message}`);
});

Deno.test("errors: the unexpected shows its stack only when asked", () => {
  const error = new TypeError("Cannot read properties of undefined");
  const short = describeError(error);
  assertEquals(short.code, 1);
  assertEquals(short.text.includes("errors_test.ts"), false);
  assertStringIncludes(short.text, "unexpected TypeError: Cannot read properties of undefined");
  assertStringIncludes(short.text, "--verbose");
  assertStringIncludes(describeError(error, { verbose: true }).text, "errors_test.ts");
  assertEquals(describeError("thrown text").code, 1);
});

Deno.test("errors: a closed pipe says nothing", () => {
  assertEquals(describeError(new Deno.errors.BrokenPipe("x")), { text: "", code: 141 });
});
