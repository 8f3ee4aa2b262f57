import { examine } from "../../src/cli/machine.ts";
import type { Setting } from "./result.ts";

/** Where this process runs; `command` is how it was called. */
export async function settingOf(command: string): Promise<Setting> {
  const { adapter, os, cpus, deno } = await examine();
  if (!adapter) throw new Error("there is no WebGPU adapter: `deno task coda doctor` says more");
  const processor = await processorName();
  return {
    adapter: adapter.description,
    isCpu: adapter.isCpu,
    driver: adapter.driver,
    machine: `${processor ? `${processor}, ` : ""}${cpus} logical processors, ${os}`,
    deno,
    commit: await commit(),
    command,
    date: new Date().toISOString().slice(0, 16).replace("T", " ") + " UTC",
  };
}

async function processorName(): Promise<string | undefined> {
  if (Deno.build.os !== "linux") return undefined;
  const text = await Deno.readTextFile("/proc/cpuinfo");
  return text.match(/^model name\s*:\s*(.+)$/m)?.[1];
}

/** The commit, and a "+" where a file that git knows differs from it. */
export async function commit(): Promise<string | null> {
  const head = await git("rev-parse", "--short", "HEAD");
  if (!head) return null;
  const changes = await git("status", "--porcelain", "--untracked-files=no", "src", "kernels");
  return changes ? `${head}+` : head;
}

async function git(...args: string[]): Promise<string | null> {
  try {
    const cwd = new URL("../..", import.meta.url);
    const { success, stdout } = await new Deno.Command("git", { args, cwd }).output();
    return success ? new TextDecoder().decode(stdout).trim() : null;
  } catch {
    return null; // no git here
  }
}
