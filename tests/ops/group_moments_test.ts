import { assertEquals } from "@std/assert";
import { GroupMoments } from "../../src/ops/group_moments.ts";
import { groupStatistics } from "../../src/ops/group_statistics.ts";
import { slice } from "../../src/ops/mod.ts";
import { normal, Random } from "../../src/tensor/mod.ts";
import { flat, gpuTest } from "../support/gpu.ts";

const cases: [pixels: number, channels: number, groups: number, parts: number[]][] = [
  [1, 4, 2, [1]],
  [100, 6, 3, [32, 32, 32, 4]],
  [100, 8, 4, [1, 30, 1, 63, 5]],
  [97, 3, 1, [10, 10, 10, 67]],
  [33_000, 4, 2, [7, 20_000, 12_993]], // chunks of 40 pixels
];

for (const [pixels, channels, groups, parts] of cases) {
  gpuTest(`${pixels} pixels of ${channels} channels in parts of ${parts}`, async (gpu) => {
    await flat(gpu, async () => {
      using x = normal(gpu, [1, pixels, channels], new Random(pixels), { mean: 3 });
      const found = (() => {
        using _scope = gpu.scope();
        using moments = new GroupMoments(gpu, pixels, channels);
        let from = 0;
        for (const count of parts) {
          moments.add(slice(x, [0, from], [1, from + count]));
          from += count;
        }
        const whole = groupStatistics(x, { images: 1, pixels, channels, groups });
        return [moments.statistics(groups), whole].flatMap(({ mean, variance }) =>
          [mean, variance].map((tensor) => tensor.readF32())
        );
      })();
      const [mean, variance, wholeMean, wholeVariance] = await Promise.all(found);
      assertEquals(mean, wholeMean);
      assertEquals(variance, wholeVariance);
    });
  });
}
