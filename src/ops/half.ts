import { type Gpu, GpuError } from "../gpu/mod.ts";
import { fromArray } from "../tensor/mod.ts";
import { cast } from "./cast.ts";

/**
 * Makes sure that a device can store floats in 16 bits, and that one which these cannot hold becomes
 * infinite: WGSL allows the largest in its place, and nobody would notice.
 *
 * @throws {GpuError} where it cannot, or does not.
 */
export async function expectHalf(gpu: Gpu): Promise<void> {
  const read = (() => {
    using _scope = gpu.scope();
    return cast(fromArray(gpu, [1e5], [1]), "f16").read();
  })();
  const [found] = await read;
  if (found === Infinity) return;
  throw new GpuError(
    `${gpu.adapter.description} stores 100000 as ${found} in 16 bits, so that what they cannot hold ` +
      "would go unnoticed: do without half",
  );
}
