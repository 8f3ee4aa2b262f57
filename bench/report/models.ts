import { fromFileUrl } from "@std/path";
import { loadVae } from "../../src/checkpoint/mod.ts";
import type { Gpu } from "../../src/gpu/mod.ts";
import { injectLora } from "../../src/nn/mod.ts";
import { CodaQuantizer, PATCH_SIZES_F16, PATCH_SIZES_F8 } from "../../src/quantizer/mod.ts";
import { Random } from "../../src/tensor/mod.ts";
import { Tokenizer } from "../../src/tokenizer.ts";
import { Adaptation, defaultRecipe } from "../../src/train/mod.ts";
import { AutoencoderKL, VAE_FAMILIES } from "../../src/vae/mod.ts";
import { benchQuantizer, trainingPass } from "../quantizer_support.ts";
import { noise, noiseValues } from "../support.ts";
import { assignmentFlop, assignmentTrainingFlop, jointStepFlop, vaeFlop } from "./flop.ts";
import type { Row } from "./row.ts";

const SIDE = 256;
const CROP = 128;
const BATCH = 4;
const CODES = 16384;

/** The rows of quantizer, tokenizers and training. */
export function modelRows(): Row[] {
  return [...quantizerRows(), ...shippedRows(), trainingRow(), fullSizeRow()];
}

function quantizerRows(): Row[] {
  const group = `Quantizer, ${CODES.toLocaleString("en")} codes, 680 tokens`;
  const prepare = (gpu: Gpu) => {
    return {
      quantizer: benchQuantizer(gpu, CODES, PATCH_SIZES_F16),
      f: noise(gpu, [1, 16, 16, 16]),
    };
  };
  return [
    {
      group,
      name: "encode",
      prepare(gpu) {
        const { quantizer, f } = prepare(gpu);
        return { flop: assignmentFlop(quantizer, 16), call: () => void quantizer.encode(f) };
      },
    },
    {
      group,
      name: "forward and backward of training",
      prepare(gpu) {
        const { quantizer, f } = prepare(gpu);
        const flop = assignmentTrainingFlop(quantizer, 16);
        return { flop, call: () => trainingPass(quantizer, f) };
      },
    },
  ];
}

/** From pixels to indices on the host, and back. */
function shippedRows(): Row[] {
  const group = "The shipped tokenizer, one 256² image";
  const data = Uint8Array.from(noiseValues(SIDE * SIDE * 3), (value) => 128 * (value + 1));
  const image = { width: SIDE, height: SIDE, data };
  return [
    {
      group,
      name: "encode",
      isWhole: true,
      async prepare(gpu) {
        const tokenizer = await Tokenizer.load(undefined, { gpu });
        const { vae, quantizer } = tokenizer;
        if (!(quantizer instanceof CodaQuantizer)) throw new TypeError("another quantizer ships");
        const flop = vaeFlop(vae, SIDE).encode + assignmentFlop(quantizer, SIDE / vae.reduction);
        return { flop, call: async () => void await tokenizer.encode(image) };
      },
    },
    {
      group,
      name: "decode",
      isWhole: true,
      async prepare(gpu) {
        const tokenizer = await Tokenizer.load(undefined, { gpu });
        const tokens = await tokenizer.encode(image);
        const flop = vaeFlop(tokenizer.vae, SIDE).decode;
        return { flop, call: async () => void await tokenizer.decode(tokens) };
      },
    },
  ];
}

/** The step that the shipped tokenizer was trained with. */
function trainingRow(): Row {
  return {
    group: "Adaptation of the small autoencoder, 1,024 codes",
    name: `joint step, ${BATCH} crops of ${CROP}²`,
    isWhole: true,
    async prepare(gpu) {
      const vae = await loadVae(
        gpu,
        fromFileUrl(new URL("../../models/tiny-kl-f8", import.meta.url)),
      );
      const targets = ["conv1", "conv2", "upsample", "downsample"];
      const lora = injectLora(vae.convs, { rank: 32, targets });
      lora.parameters.initialize(new Random(1));
      const quantizer = benchQuantizer(gpu, 1024, PATCH_SIZES_F8);
      const adaptation = new Adaptation({ vae, lora, quantizer }, defaultRecipe(1000));
      const images = noise(gpu, [BATCH, CROP, CROP, 3]);
      return {
        flop: BATCH * jointStepFlop(vae, quantizer, CROP),
        call: () => adaptation.jointStep(images)[Symbol.dispose](),
      };
    },
  };
}

/** Random weights: what they are matters to no time. */
function fullSizeRow(): Row {
  const { name, config } = VAE_FAMILIES[0];
  return {
    group: `${name} at full size, ${CODES.toLocaleString("en")} codes`,
    name: `encode, quantize and decode one ${SIDE}² image`,
    isWhole: true,
    prepare(gpu) {
      const vae = new AutoencoderKL(gpu, config);
      vae.parameters.initialize(new Random(1));
      const quantizer = benchQuantizer(gpu, CODES, PATCH_SIZES_F16);
      const image = noise(gpu, [1, SIDE, SIDE, 3]);
      const side = SIDE / vae.reduction;
      const { encode, decode } = vaeFlop(vae, SIDE);
      return {
        flop: encode + assignmentFlop(quantizer, side) + decode,
        call() {
          const indices = quantizer.encode(vae.scaleLatent(vae.encode(image).mean));
          const fHat = quantizer.decode(indices, { height: side, width: side });
          vae.decode(vae.unscaleLatent(fHat));
        },
      };
    },
  };
}
