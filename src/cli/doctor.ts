/** `coda doctor`: what the machine offers, what is missing, and how to get it. */
import { type Command, defineCommand } from "./command.ts";
import { CommandError } from "./errors.ts";
import { booleanFlag } from "./flags.ts";
import { formatBytes } from "./format.ts";
import type { Slot, Tile, Tuning } from "../ops/mod.ts";
import { type AdapterFindings, examine, type Machine, missingPermissions } from "./machine.ts";
import { driverAdvice, installDriver } from "./vulkan_driver.ts";

/** The command. */
export const doctor: Command = defineCommand({
  name: "doctor",
  summary: "says whether this machine can run coda, and what is missing",
  description: `
    Prints the versions of Deno and V8, the system, the GPU adapter with its driver, limits and
    features, and whether images can be read. Adds numbers on the adapter to see that it works, and
    says in which tiles it computes products: those that a brief measurement found fastest. They are
    kept for a month; --tune measures them again.

    Where there is no Vulkan adapter on Linux, --install gets Debian's mesa-vulkan-drivers, whose
    CPU adapter needs no graphics card; without --install, or where it may not, doctor prints the
    one command to run and exits with 1. CODA_NO_GPU=1 makes a missing adapter no failure.`,
  flags: {
    install: booleanFlag("install a Vulkan driver with apt-get where there is none"),
    tune: booleanFlag("measure again which tiles are fastest, after a driver's update for example"),
    json: booleanFlag("print the report as one JSON document"),
  },
  examples: [
    { does: "look", type: "coda doctor" },
    { does: "look, and get a driver if there is none", type: "coda doctor --install" },
    {
      does: "the adapter's name, for a script",
      type: "coda doctor --json | jq .adapter.description",
    },
  ],
  async run({ flags }) {
    const missing = await missingPermissions();
    if (missing.length > 0) {
      throw new CommandError(`doctor needs ${missing.join(" ")}: add them to deno run, or use -A`);
    }
    const machine = await examine({ tune: flags.tune });
    const needsDriver = machine.lacksDriver && Deno.env.get("CODA_NO_GPU") !== "1";
    if (needsDriver && flags.install) {
      await installDriver((text) => console.error(`coda: ${text}`));
      return await lookAgain(flags);
    }
    if (needsDriver) machine.problems.push(`no GPU adapter; ${driverAdvice()}`);
    if (flags.json) console.log(JSON.stringify(machine, null, 2));
    else if (!flags.quiet) console.log(reportText(machine));
    for (const problem of machine.problems) console.error(`coda: ${problem}`);
    return machine.problems.length === 0 ? 0 : 1;
  },
});

/** Looks once more in a new process: a process finds its Vulkan drivers only once. */
async function lookAgain(
  flags: { json: boolean; quiet: boolean; tune: boolean },
): Promise<number> {
  const args = ["doctor"];
  if (flags.tune) args.push("--tune");
  if (flags.json) args.push("--json");
  if (flags.quiet) args.push("--quiet");
  const program = Deno.build.standalone ? [] : ["run", "-A", Deno.mainModule];
  const child = new Deno.Command(Deno.execPath(), { args: [...program, ...args] });
  return (await child.spawn().status).code;
}

/** The report as a person reads it. */
export function reportText(machine: Machine): string {
  const { adapter } = machine;
  const rows = [
    ["Deno", `${machine.deno}, V8 ${machine.v8}`],
    ["System", `${machine.os}, ${machine.cpus} CPUs`],
    ...(adapter ? adapterRows(adapter) : [["Adapter", "none"]]),
    ["Images", machine.sharp === null ? "sharp does not load" : `sharp ${machine.sharp}`],
  ];
  return rows.map(([name, text]) => `${name.padEnd(10)}${text}`).join("\n");
}

function adapterRows(adapter: AdapterFindings): string[][] {
  const { limits, features } = adapter;
  const has = (feature: string) => `${feature} ${features.includes(feature) ? "yes" : "no"}`;
  const kind = adapter.isCpu ? "on the CPU" : "a GPU";
  return [
    [
      "Adapter",
      `${adapter.description}, ${kind}, ${vendorName(adapter.vendor)}, ${adapter.backend}`,
    ],
    ["Driver", adapter.driver ?? "version unknown"],
    [
      "Limits",
      [
        `storage binding ${formatBytes(limits.maxStorageBufferBindingSize)}`,
        `buffer ${formatBytes(limits.maxBufferSize)}`,
        `workgroup storage ${formatBytes(limits.maxComputeWorkgroupStorageSize)}`,
        `workgroup ${limits.maxComputeInvocationsPerWorkgroup} invocations`,
        `uniform offsets of ${formatBytes(limits.minUniformBufferOffsetAlignment)}`,
      ].join(", "),
    ],
    ["Features", [has("shader-f16"), has("timestamp-query")].join(", ")],
    ["Compute", adapter.computes ? "sums are right" : "sums are WRONG"],
    ...(adapter.tuning ? [["Tiles", tilesText(adapter.tuning)]] : []),
  ];
}

/** What a tile is called in the report: its outputs, and where its operands lie. */
const TILE_NAMES: Readonly<Record<Tile, string>> = {
  registers: "8×8",
  wide: "16×16",
  wide32: "16×32",
  shared32: "32×32 shared",
  shared64: "64×64 shared",
  shared128: "128×64 shared",
};

const SLOT_NAMES: Readonly<Record<Slot, string>> = {
  matmul: "products",
  smallMatmul: "small products",
  winograd: "Winograd",
  convolution: "direct convolutions",
  weightGradient: "their weight gradients",
};

function tilesText({ tiles, source, measured }: Tuning): string {
  const slots = Object.entries(SLOT_NAMES) as [Slot, string][];
  const text = slots.map(([slot, name]) => `${name} ${TILE_NAMES[tiles[slot]]}`).join(", ");
  const when = source === "default" ? "unmeasured" : `measured ${measured?.slice(0, 10)}`;
  return `${text} (${when})`;
}

/** PCI and Khronos vendor numbers, as drivers give them in decimal. */
const VENDORS: Readonly<Record<number, string>> = {
  0x1002: "AMD",
  0x106b: "Apple",
  0x10de: "NVIDIA",
  0x13b5: "Arm",
  0x5143: "Qualcomm",
  0x8086: "Intel",
  0x10005: "Mesa",
};

function vendorName(vendor: string): string {
  return VENDORS[Number(vendor)] ?? `vendor ${vendor || "unknown"}`;
}
