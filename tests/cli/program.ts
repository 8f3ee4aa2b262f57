import { fromFileUrl } from "@std/path";

/** How a run of the program ended. */
export interface Ended {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs a TypeScript file of the repository as a program, with all permissions unless told. */
export async function runFile(
  file: string,
  args: readonly string[],
  options: { env?: Record<string, string>; permissions?: string[] } = {},
): Promise<Ended> {
  const path = fromFileUrl(new URL(`../../${file}`, import.meta.url));
  const command = new Deno.Command(Deno.execPath(), {
    args: ["run", ...(options.permissions ?? ["-A"]), path, ...args],
    env: { NO_COLOR: "1", ...options.env },
    stdin: "null",
  });
  const { code, stdout, stderr } = await command.output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

/** Runs the `coda` program. What a slow machine makes it say of its progress is left out of stderr. */
export async function coda(
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<Ended> {
  const ended = await runFile("src/cli/main.ts", args, { env });
  return { ...ended, stderr: ended.stderr.replace(PROGRESS, "") };
}

/** A line of progress where there is no terminal: "encode  2/3 images  0.89 images/s  ETA 1.1 s". */
const PROGRESS = /^[a-z]+ {2}\d+(\/\d+)? [a-z]+( .*)?\n/gm;
