// Run without any permission.
import { Gpu } from "../../../src/gpu/mod.ts";
import { tune } from "../../../src/ops/tuning/tune.ts";

using gpu = await Gpu.create();
const { source, file } = await tune(gpu);
console.log(`${source}, ${file ?? "no file"}`);
