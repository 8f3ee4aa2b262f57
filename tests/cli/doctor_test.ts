import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import type { Machine } from "../../src/cli/machine.ts";
import { reportText } from "../../src/cli/doctor.ts";
import { coda, runFile } from "./program.ts";

const noGpu = Deno.env.get("CODA_NO_GPU") === "1";
const isLinux = Deno.build.os === "linux";
/** No Vulkan driver, in the words of new loaders and old. */
const NO_DRIVER = { VK_DRIVER_FILES: "/no/driver.json", VK_ICD_FILENAMES: "/no/driver.json" };
const WANTED = { CODA_NO_GPU: "0" };

/** Where Vulkan drivers say that they are. */
const DRIVER_FOLDERS = ["/usr/share/vulkan/icd.d", "/etc/vulkan/icd.d"];

/** The description file of the CPU driver, else of any. */
function driverFile(): string {
  const files = DRIVER_FOLDERS.flatMap((folder) => {
    try {
      return [...Deno.readDirSync(folder)].map((entry) => join(folder, entry.name));
    } catch {
      return [];
    }
  });
  const file = files.find((path) => path.includes("lvp")) ?? files[0];
  if (file === undefined) throw new Error(`no driver in ${DRIVER_FOLDERS.join(" or ")}`);
  return file;
}

/** A folder for PATH whose programs are the given shell scripts. */
async function programs(scripts: Record<string, string>): Promise<string> {
  const folder = await Deno.makeTempDir();
  for (const [name, script] of Object.entries(scripts)) {
    await Deno.writeTextFile(join(folder, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  }
  return folder;
}

/** Runs another command line as root does, with no question asked. */
const SUDO = 'shift\nexec "$@"';

Deno.test({
  name: "doctor: the report of a machine with an adapter",
  ignore: noGpu,
  async fn() {
    const { code, stdout, stderr } = await coda(["doctor", "--json"], WANTED);
    assertEquals({ code, stderr }, { code: 0, stderr: "" });
    const machine: Machine = JSON.parse(stdout);
    assertEquals(machine.deno, Deno.version.deno);
    assertEquals(machine.cpus, navigator.hardwareConcurrency);
    assertEquals(machine.adapter?.computes, true);
    assertEquals(machine.problems, []);
    assertMatch(machine.sharp ?? "", /^\d+\.\d+/);
    const text = reportText(machine);
    assertStringIncludes(text, machine.adapter!.description);
    assertStringIncludes(text, `Deno      ${Deno.version.deno}`);
    assertMatch(text, /shader-f16 (yes|no), timestamp-query (yes|no)/);
    const today = machine.adapter!.tuning!.measured!.slice(0, 10);
    assertMatch(text, new RegExp(`\\nTiles     products \\d+×\\d+.* \\(measured ${today}\\)\\n`));
  },
});

Deno.test({
  name: "doctor --tune: measures the tiles again",
  ignore: noGpu,
  async fn() {
    const folder = await Deno.makeTempDir();
    const env = { ...WANTED, XDG_CACHE_HOME: folder };
    const sourceOf = async (...flags: string[]) => {
      const { stdout } = await coda(["doctor", "--json", ...flags], env);
      return JSON.parse(stdout).adapter.tuning.source;
    };
    assertEquals(await sourceOf(), "measured");
    assertEquals(await sourceOf(), "kept");
    assertEquals(await sourceOf("--tune"), "measured");
    await Deno.remove(folder, { recursive: true });
  },
});

Deno.test({
  name: "doctor: without a driver it prints the command to run and fails",
  ignore: !isLinux,
  async fn() {
    const { code, stdout, stderr } = await coda(["doctor"], { ...NO_DRIVER, ...WANTED });
    assertEquals(code, 1);
    assertStringIncludes(stdout, "Adapter   none");
    assertMatch(stderr, /^coda: no GPU adapter; .*apt-get install .*mesa-vulkan-drivers\n$/);
  },
});

Deno.test({
  name: "doctor: without a driver CODA_NO_GPU=1 is no failure",
  ignore: !isLinux,
  async fn() {
    const env = { ...NO_DRIVER, CODA_NO_GPU: "1" };
    const { code, stderr } = await coda(["doctor", "--install"], env);
    assertEquals({ code, stderr }, { code: 0, stderr: "" });
  },
});

Deno.test({
  name: "doctor --install: updates, installs, and finds the adapter in a new process",
  ignore: !isLinux || noGpu,
  async fn() {
    const path = await programs({
      sudo: SUDO,
      "apt-get": 'echo "apt-get prints this"\necho "$DEBIAN_FRONTEND $*" >> "$LOG"\n' +
        'case "$*" in install*) cp "$DRIVER" "$VK_DRIVER_FILES";; esac',
    });
    const driver = join(path, "driver.json");
    const log = join(path, "log");
    const { code, stdout, stderr } = await coda(["doctor", "--install", "--json"], {
      ...WANTED,
      PATH: `${path}:${Deno.env.get("PATH")}`,
      LOG: log,
      DRIVER: driverFile(),
      VK_DRIVER_FILES: driver,
      VK_ICD_FILENAMES: driver,
    });
    assertEquals(code, 0, stderr);
    const machine: Machine = JSON.parse(stdout);
    assertEquals(machine.adapter?.computes, true);
    assertEquals(stderr.includes("apt-get prints this"), false);
    assertStringIncludes(stderr, "installing mesa-vulkan-drivers");
    const calls = (await Deno.readTextFile(log)).trim().split("\n")
      .filter((call) => !call.includes("--version"));
    assertEquals(calls[0], "noninteractive update");
    assertMatch(
      calls[1],
      /^noninteractive install -y --no-install-recommends .*mesa-vulkan-drivers$/,
    );
    assertEquals(calls.length, 2);
    await Deno.remove(path, { recursive: true });
  },
});

Deno.test({
  name: "doctor --install: a failed install shows what apt-get said and the command to run",
  ignore: !isLinux,
  async fn() {
    const fails = 'case "$*" in --version) ;; *) echo "E: no network" >&2; exit 100;; esac';
    const path = await programs({ sudo: SUDO, "apt-get": fails });
    const { code, stdout, stderr } = await coda(["doctor", "--install"], {
      ...NO_DRIVER,
      ...WANTED,
      PATH: `${path}:${Deno.env.get("PATH")}`,
    });
    assertEquals({ code, stdout }, { code: 1, stdout: "" });
    assertStringIncludes(stderr, "E: no network");
    assertMatch(stderr, /coda: apt-get could not install .* run: .*apt-get update/);
    await Deno.remove(path, { recursive: true });
  },
});

Deno.test({
  name: "doctor --install: where there is no apt-get it says so",
  ignore: !isLinux,
  async fn() {
    const path = await programs({});
    const env = { ...NO_DRIVER, ...WANTED, PATH: path };
    const { code, stderr } = await coda(["doctor", "--install"], env);
    assertEquals(code, 1);
    assertStringIncludes(stderr, "there is no apt-get");
    await Deno.remove(path, { recursive: true });
  },
});

Deno.test("doctor: missing permissions are named", async () => {
  const run = await runFile("src/cli/main.ts", ["doctor"], { permissions: ["--allow-env"] });
  assertEquals(run, {
    code: 1,
    stdout: "",
    stderr: "coda: doctor needs --allow-read --allow-sys --allow-ffi: add them to deno run, " +
      "or use -A\n",
  });
});
