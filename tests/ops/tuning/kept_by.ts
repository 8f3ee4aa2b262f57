// Prints where the tiles of the adapter are kept in a process with the variables given, as NAME=VALUE.
import { Gpu } from "../../../src/gpu/mod.ts";
import { keptFile } from "../../../src/ops/tuning/kept.ts";

for (const variable of Deno.args) {
  const [name, value] = variable.split("=");
  Deno.env.set(name, value);
}
using gpu = await Gpu.create();
console.log(await keptFile(gpu) ?? "none");
