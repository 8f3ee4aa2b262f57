/**
 * The `coda` program: `deno run -A jsr:@coda/tokenizer/cli --help`.
 *
 * @module
 */
import config from "../../deno.json" with { type: "json" };
import type { Command } from "./command.ts";
import { commands } from "./commands.ts";
import { describeError, UsageError } from "./errors.ts";
import { meant, table } from "./flags.ts";
import { interruptCode, listenForInterrupts } from "./interrupt.ts";

/**
 * Runs the program.
 *
 * @param args The arguments, the command's name first.
 * @returns The exit code: 0 for success, 1 where the work failed, 2 where the command line is wrong.
 */
export async function main(args: readonly string[]): Promise<number> {
  let command: Command | undefined;
  using _ = listenForInterrupts();
  try {
    const own = answer(args);
    if (own !== undefined) {
      console.log(own);
      return 0;
    }
    command = find(args[0]);
    const code = await command.run(args.slice(1));
    return interruptCode() ?? code;
  } catch (error) {
    const { text, code } = describeError(error, {
      command: command?.name,
      verbose: hasFlag(args, "--verbose"),
    });
    if (text !== "") console.error(text);
    return interruptCode() ?? code;
  }
}

/** What the program answers itself: its version, and help. */
function answer(args: readonly string[]): string | undefined {
  const [first, second] = args;
  if (first === "--version" || first === "-V") return `coda ${config.version}`;
  if (first === "--help" || first === "-h") return programHelp();
  if (first === "help") {
    return second === undefined || second === "help" ? programHelp() : find(second).help;
  }
  if (first !== undefined && !first.startsWith("-")) {
    const { help } = find(first);
    if (hasFlag(args, "--help") || hasFlag(args, "-h")) return help;
  }
  return undefined;
}

function find(name: string | undefined): Command {
  if (name === undefined) throw new UsageError("no command was given");
  const command = commands.find((command) => command.name === name);
  if (command) return command;
  if (name.startsWith("-")) {
    throw new UsageError(
      `unknown flag ${name}${meant(name, ["--help", "--version"])}; ` +
        "a command comes before its flags",
    );
  }
  const names = [...commands.map((command) => command.name), "help"];
  throw new UsageError(`unknown command ${JSON.stringify(name)}${meant(name, names)}`);
}

function programHelp(): string {
  const examples = [
    "  # whether this machine can run it\n  coda doctor",
    "  # a photograph's tokens, and what they look like\n  coda encode photo.jpg && coda decode photo.coda",
    "  # a tokenizer of your own\n  coda adapt photos --out run",
  ].join("\n");
  const rows = commands.map(({ name, summary }): [string, string] => [name, summary]);
  return [
    "coda: photographs to discrete tokens and back",
    "Usage: coda COMMAND [flags] [arguments]",
    `Commands:\n${table([...rows, ["help", "the help of a command: coda help doctor"]])}`,
    `Flags:\n${table([["--help", "show this help"], ["--version", "show the version"]])}`,
    `Examples:\n${examples}`,
  ].join("\n\n");
}

/** Whether a flag is among the arguments before a `--`. */
function hasFlag(args: readonly string[], flag: string): boolean {
  const end = args.indexOf("--");
  return (end < 0 ? args : args.slice(0, end)).includes(flag);
}

if (import.meta.main) Deno.exit(await main(Deno.args));
