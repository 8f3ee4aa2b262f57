import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import config from "../../deno.json" with { type: "json" };
import { commands } from "../../src/cli/commands.ts";
import { coda } from "./program.ts";

Deno.test("coda --version is that of deno.json", async () => {
  assertEquals(await coda(["--version"]), {
    code: 0,
    stdout: `coda ${config.version}\n`,
    stderr: "",
  });
});

Deno.test("coda --help lists every command; help X and X --help are the same", async () => {
  const help = await coda(["--help"]);
  assertEquals(help.code, 0);
  for (const { name, summary } of commands) {
    assertMatch(help.stdout, new RegExp(`^  ${name} `, "m"));
    assertStringIncludes(help.stdout.replace(/\s+/g, " "), summary);
  }
  assertEquals((await coda(["help"])).stdout, help.stdout);
  const one = await coda(["help", "doctor"]);
  assertEquals(await coda(["doctor", "--install", "--help"]), one);
  assertStringIncludes(one.stdout, "Examples:\n  # ");
});

Deno.test("every command's help names it, fits 80 columns and has an example", () => {
  for (const { name, help } of commands) {
    assertStringIncludes(help, `Usage: coda ${name} [flags]`);
    assertMatch(help, new RegExp(`Examples:\\n  # .+\\n  (.*\\| )?coda ${name}`));
    for (const line of help.split("\n")) assertEquals(line.length <= 80, true, line);
  }
});

async function isUsage(args: string[], message: string, help: string): Promise<void> {
  assertEquals(await coda(args), {
    code: 2,
    stdout: "",
    stderr: `coda: ${message}\nsee ${help}\n`,
  });
}

Deno.test("a wrong command line is one line, where the help is, and exit code 2", async () => {
  await isUsage([], "no command was given", "coda --help");
  await isUsage(["docter"], 'unknown command "docter"; did you mean doctor?', "coda --help");
  await isUsage(["help", "xyzzy"], 'unknown command "xyzzy"', "coda --help");
  await isUsage(
    ["--vresion"],
    "unknown flag --vresion; did you mean --version?; a command comes before its flags",
    "coda --help",
  );
  await isUsage(
    ["doctor", "--instal"],
    "unknown flag --instal; did you mean --install?",
    "coda doctor --help",
  );
  await isUsage(
    ["doctor", "now"],
    'doctor takes no arguments; found "now"',
    "coda doctor --help",
  );
});
