import { assertAlmostEquals, assertEquals, assertNotEquals } from "@std/assert";
import { join } from "@std/path";
import { loadJudges } from "../../src/evaluate/mod.ts";
import { fromArray, noGrad } from "../../src/tensor/mod.ts";
import { loadLpips } from "../../src/train/load_lpips.ts";
import { withFolder } from "../data/photos.ts";
import { gpuTest } from "../support/gpu.ts";
import { Random } from "../support/random.ts";
import { tinyCriticFiles } from "../train/critics.ts";

gpuTest("judges: without weights all are off, each with its reason", async (gpu) => {
  using judges = await loadJudges(gpu, {});
  assertEquals(judges.lpips, undefined);
  assertEquals(judges.networks, []);
  assertEquals(judges.ids, {});
  assertEquals(judges.off, [
    "LPIPS: there are no weights for it (vgg and lpips)",
    "FID, KID: there are no weights of InceptionV3 (inception)",
    "resnet50-kid, resnet50-fd: not asked for, as ResNet-50 is fetched, 94 MB (features)",
  ]);
});

gpuTest(
  "judges: LPIPS out of its files, with an id of what they hold",
  (gpu) =>
    withFolder(async (folder) => {
      const files = await tinyCriticFiles(gpu, folder);
      const { vgg, lpips } = files;
      using judges = await loadJudges(gpu, { vgg, lpips });
      assertEquals(judges.off.map((text) => text.split(":")[0]), [
        "FID, KID",
        "resnet50-kid, resnet50-fd",
      ]);
      const shape = [1, 32, 32, 3];
      const [a, b] = [1, 2].map((seed) => Float32Array.from(new Random(seed).normal(shape).data));
      using expected = await loadLpips(gpu, vgg!, lpips!);
      const distance = async (judge: Pick<typeof expected, "distances">) => {
        const record = () => {
          using _scope = gpu.scope();
          return judge.distances(fromArray(gpu, a, shape), fromArray(gpu, b, shape)).readF32();
        };
        return (await noGrad(record))[0];
      };
      assertAlmostEquals(await distance(judges.lpips!), await distance(expected), 1e-7);

      const moved = join(folder, "moved.safetensors");
      await Deno.copyFile(vgg!, moved);
      using same = await loadJudges(gpu, { vgg: moved, lpips });
      assertEquals(same.ids, judges.ids);
      const bytes = await Deno.readFile(moved);
      bytes[bytes.length - 2] ^= 1;
      await Deno.writeFile(moved, bytes);
      using other = await loadJudges(gpu, { vgg: moved, lpips });
      assertNotEquals(other.ids, judges.ids);
    }),
);
