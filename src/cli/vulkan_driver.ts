/** Gets a Vulkan driver onto a Linux machine that has none. */
import { CommandError } from "./errors.ts";

/** The Debian package; among others it holds a driver that computes on the CPU. */
const PACKAGE = "mesa-vulkan-drivers";

/** How apt-get is run: its command line up to its name, or why it cannot be. */
type Apt = { command: string[] } | { reason: string };

/** What a user types to get a driver; one line. */
export function driverAdvice(): string {
  if (Deno.build.os !== "linux") return "update the graphics driver";
  const sudo = Deno.uid() === 0 ? "" : "sudo ";
  return `for the CPU adapter, on Debian or Ubuntu run: ${sudo}apt-get update && ${sudo}apt-get install -y --no-install-recommends ${PACKAGE}`;
}

/**
 * Installs the driver with apt-get. What apt-get prints is shown only where it fails.
 *
 * @param say Told, before the work starts, what will be done.
 * @throws {CommandError} where it may not, or apt-get fails; the message has the command to run.
 */
export async function installDriver(say: (text: string) => void): Promise<void> {
  const apt = await findApt();
  if ("reason" in apt) {
    throw new CommandError(`no GPU adapter, and ${apt.reason}; ${driverAdvice()}`);
  }
  say(`no Vulkan adapter: installing ${PACKAGE} with ${apt.command.join(" ")}`);
  // One dead package source fails the update and may not matter: the install decides.
  const update = await run([...apt.command, "update"]);
  const options = ["-y", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=120"];
  const install = await run([...apt.command, "install", ...options, PACKAGE]);
  if (!install.success) {
    console.error((update.log + install.log).trimEnd());
    throw new CommandError(`apt-get could not install ${PACKAGE} (see above); ${driverAdvice()}`);
  }
  say(`installed ${PACKAGE}`);
}

async function findApt(): Promise<Apt> {
  if (Deno.build.os !== "linux") return { reason: "drivers are installed only on Linux" };
  if (!(await run(["apt-get", "--version"])).success) return { reason: "there is no apt-get" };
  if (Deno.uid() === 0) return { command: ["apt-get"] };
  if (!(await run(["sudo", "-n", "true"])).success) {
    return { reason: "this user is not root and sudo needs a password" };
  }
  return { command: ["sudo", "-n", "env", "DEBIAN_FRONTEND=noninteractive", "apt-get"] };
}

async function run([program, ...args]: string[]): Promise<{ success: boolean; log: string }> {
  const command = new Deno.Command(program, {
    args,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    env: { DEBIAN_FRONTEND: "noninteractive" },
  });
  try {
    const { success, stdout, stderr } = await command.output();
    const decoder = new TextDecoder();
    return { success, log: decoder.decode(stdout) + decoder.decode(stderr) };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) {
      return { success: false, log: `${program}: not found\n` };
    }
    throw error;
  }
}
