import { assertEquals } from "@std/assert";
import { injectLora } from "../../src/nn/mod.ts";
import { CodaQuantizer } from "../../src/quantizer/mod.ts";
import { AutoencoderKL } from "../../src/vae/mod.ts";
import { assignmentFlop, jointStepFlop, vaeFlop } from "../../bench/report/flop.ts";
import { gpuTest } from "../support/gpu.ts";

const CONFIG = {
  inChannels: 3,
  channels: [4, 8],
  blocksPerLevel: 1,
  latentChannels: 2,
  normGroups: 2,
  midAttention: true,
  encoderAttentionLevels: [],
  quantConv: true,
  postQuantConv: true,
  scale: 1,
  shift: 0,
};

/** Multiply-adds of a convolution per pixel of its result. */
const conv = (cin: number, cout: number, kernel = 3) => kernel * kernel * cin * cout;

/** Two residual blocks and an attention of 8 channels at one of the latent's pixels. */
const MIDDLE = 4 * conv(8, 8) + 4 * conv(8, 8, 1);

const FINE = 16 * 16;
const COARSE = 8 * 8;

gpuTest("vaeFlop: every convolution and attention of a small autoencoder", (gpu) => {
  using vae = new AutoencoderKL(gpu, CONFIG);
  const attention = 2 * COARSE * COARSE * 8;
  const encode = FINE * (conv(3, 4) + 2 * conv(4, 4)) +
    COARSE * conv(4, 4) + // down
    COARSE * (conv(4, 8) + conv(8, 8) + conv(4, 8, 1)) +
    COARSE * (MIDDLE + conv(8, 4) + conv(4, 4, 1)) + attention;
  const decode = COARSE * (conv(2, 2, 1) + conv(2, 8) + MIDDLE) + attention +
    COARSE * 4 * conv(8, 8) +
    FINE * conv(8, 8) + // up
    FINE * (conv(8, 4) + conv(4, 4) + conv(8, 4, 1) + 2 * conv(4, 4) + conv(4, 3));
  assertEquals(vaeFlop(vae, 16), { encode: 2 * encode, decode: 2 * decode });
});

gpuTest("jointStepFlop: a frozen convolution has two products, an adapted one three", (gpu) => {
  using vae = new AutoencoderKL(gpu, CONFIG);
  const shape = { codebookSize: 16, channels: 2, attentionDim: 8, patchSizes: [1, 2] };
  using quantizer = new CodaQuantizer(gpu, { ...shape, norm: "rms", beta: 0.05 });
  assertEquals(assignmentFlop(quantizer, 8), 2 * (4 * 4 + 8 * 8) * 16 * 8);
  const plain = jointStepFlop(vae, quantizer, 16);
  const { parameters } = injectLora(vae.convs, { rank: 1, targets: ["decoder.conv_out"] });
  using _parameters = parameters;
  assertEquals(jointStepFlop(vae, quantizer, 16) - plain, 2 * FINE * conv(4, 3));
});
