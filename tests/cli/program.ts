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

/** Runs the `coda` program. */
export function coda(args: readonly string[], env: Record<string, string> = {}): Promise<Ended> {
  return runFile("src/cli/main.ts", args, { env });
}
