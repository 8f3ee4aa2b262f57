import { assertEquals } from "@std/assert";
import type { Gpu } from "../../src/gpu/mod.ts";
import { Lpips } from "../../src/losses/mod.ts";
import { slice } from "../../src/ops/mod.ts";
import { gradients, type Tensor } from "../../src/tensor/mod.ts";
import { assertClose } from "../support/compare.ts";
import { flat, gpuTest } from "../support/gpu.ts";
import { digestOf, generatedSource, type GeneratedWeight } from "./generated.ts";
import { Golden, tolerance } from "./golden.ts";

/** A weight of the official module; VGG's have another name in the file that they come from. */
interface LpipsWeight extends GeneratedWeight {
  torchvision_name?: string;
}

/** What the golden `lpips` says. */
export interface LpipsJson {
  weights: LpipsWeight[];
  weights_sha256: string;
  value: number[];
  value_identical_images: number[];
  f32_vs_f64: { value: [number, number]; grad: [number, number] };
}

const NAME = "lpips";

/** LPIPS against the official code's: value, gradient and two feature maps. */
export function lpips(goldens: string): void {
  gpuTest("LPIPS: value, gradient and features equal the official ones", async (gpu) => {
    using golden = await Golden.open<LpipsJson>(goldens, NAME);
    const { weights, weights_sha256, value_identical_images, f32_vs_f64 } = golden.json;
    assertEquals(await digestOf(weights), weights_sha256);
    using lpips = await loadLpips(gpu, golden);
    using image0 = await golden.image(gpu, "image0");
    using image1 = (await golden.image(gpu, "image1")).requireGrad();
    const [value, gradient, same, first, last] = await Promise.all(
      await flat(gpu, () => passes(lpips, image0, image1)),
    );
    const within = tolerance(1e-4, f32_vs_f64.value[0]);
    assertClose(value, await golden.file.floats("value"), { relative: within, name: "value" });
    assertClose(value, golden.json.value, { relative: within, name: "value" });
    assertEquals([...same], value_identical_images);
    await golden.assertImage(
      gradient,
      "grad_image1_of_mean_value",
      tolerance(1e-4, f32_vs_f64.grad[0]),
    );
    await golden.assertImage(first, "tap_relu1_2_image0_first2ch", 1e-4);
    await golden.assertImage(last, "tap_relu5_3_image0", 1e-4);
  });
}

/** LPIPS with the golden's weights. */
export async function loadLpips(gpu: Gpu, { json }: Golden<LpipsJson>): Promise<Lpips> {
  const { weights } = json;
  return await Lpips.load(gpu, {
    vgg: generatedSource(
      weights.flatMap((weight) =>
        weight.torchvision_name ? [{ ...weight, name: weight.torchvision_name }] : []
      ),
    ),
    lin: generatedSource(weights.filter(({ torchvision_name }) => !torchvision_name)),
  });
}

function passes(lpips: Lpips, image0: Tensor, image1: Tensor): Promise<Float32Array>[] {
  const [images, height, width] = image0.shape;
  using _scope = image0.gpu.scope();
  const value = lpips.distances(image0, image1);
  const [gradient] = gradients(lpips.loss(image0, image1), [image1]);
  const features = lpips.vgg.features(image0);
  const first = slice(features[0], [0, 0, 0, 0], [images, height, width, 2]);
  return [value, gradient, lpips.distances(image0, image0), first, features[4]]
    .map((tensor) => tensor.readF32());
}
