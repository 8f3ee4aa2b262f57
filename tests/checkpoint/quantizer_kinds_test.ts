import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import {
  CheckpointError,
  inspectCheckpoint,
  loadTokenizer,
  saveTokenizer,
} from "../../src/checkpoint/mod.ts";
import { inspectionText } from "../../src/cli/inspection_text.ts";
import type { Gpu } from "../../src/gpu/mod.ts";
import { makeQuantizer, type QuantizerConfig } from "../../src/quantizer/mod.ts";
import { Random } from "../../src/tensor/mod.ts";
import { Tokenizer } from "../../src/tokenizer.ts";
import { readTokens, writeTokens } from "../../src/tokens/mod.ts";
import { AutoencoderKL } from "../../src/vae/mod.ts";
import { pattern } from "../cli/tiny_tokenizer.ts";
import { withFolder } from "../data/photos.ts";
import { gpuTest } from "../support/gpu.ts";
import { TINY_VAE } from "../train/tiny.ts";

const SHAPE = { codebookSize: 16, channels: 4, beta: 0.25 };
const PHI = { quantResi: 0.5, shareQuantResi: 4 };
const NEAREST: QuantizerConfig = { kind: "nearest", ...SHAPE, patchSizes: [128] };
const MULTI_SCALE = { kind: "multiscale", ...SHAPE, ...PHI, patchSizes: [1, 2, 4] } as const;

/** Writes a tokenizer of random weights with such a quantizer. */
async function write(gpu: Gpu, folder: string, config: QuantizerConfig): Promise<void> {
  using vae = new AutoencoderKL(gpu, TINY_VAE);
  using quantizer = makeQuantizer(gpu, config);
  vae.parameters.initialize(new Random(1));
  quantizer.parameters.initialize(new Random(2));
  await saveTokenizer({ vae, quantizer }, folder);
}

async function changeConfig(
  folder: string,
  change: (json: { quantizer?: Record<string, unknown> }) => void,
): Promise<void> {
  const path = join(folder, "config.json");
  const config = JSON.parse(await Deno.readTextFile(path));
  change(config);
  await Deno.writeTextFile(path, JSON.stringify(config));
}

for (const config of [NEAREST, MULTI_SCALE]) {
  gpuTest(
    `a tokenizer of kind ${config.kind} is written, read and used as CODA's is`,
    async (gpu) => {
      await withFolder(async (folder) => {
        await write(gpu, folder, config);
        using tokenizer = await Tokenizer.load(folder, { gpu });
        assertEquals(tokenizer.quantizer.config, config);
        const image = pattern(20, 12);
        const tokens = await tokenizer.encode(image);
        const lengths = config.kind === "nearest" ? [60] : [6, 15, 60];
        assertEquals(tokens.indices.map((scale) => scale.length), lengths);
        await writeTokens(join(folder, "a.coda"), tokens);
        const read = await readTokens(join(folder, "a.coda"));
        const decoded = await tokenizer.decode(read);
        assertEquals(decoded, await tokenizer.decode(tokens));
        const coarse = await tokenizer.decode(read, { scales: 1 });
        assertEquals(coarse.width, 20);
        await tokenizer.save(join(folder, "again"));
        using again = await Tokenizer.load(join(folder, "again"), { gpu });
        assertEquals(again.modelId, tokenizer.modelId);
      });
    },
  );
}

gpuTest("without a configuration the weights tell all but a pyramid's scales", async (gpu) => {
  await withFolder(async (folder) => {
    const configs: QuantizerConfig[] = [
      NEAREST,
      ...[0, 1, 4].map((shareQuantResi) => ({ ...MULTI_SCALE, shareQuantResi })),
    ];
    for (const config of configs) {
      await write(gpu, folder, config);
      await changeConfig(folder, (config) => delete config.quantizer);
      const patchSizes = config.kind === "nearest" ? undefined : config.patchSizes;
      const { vae, quantizer } = await loadTokenizer(gpu, folder, { patchSizes });
      vae[Symbol.dispose]();
      quantizer[Symbol.dispose]();
      assertEquals(quantizer.config, config);
    }
    const error = await assertRejects(() => loadTokenizer(gpu, folder), CheckpointError);
    assertStringIncludes(error.message, "does not say the scales of its grids");
  });
});

gpuTest(
  "a configuration of another kind than the weights is refused, and an unknown one",
  async (gpu) => {
    await withFolder(async (folder) => {
      await write(gpu, folder, NEAREST);
      const refused = async (change: (json: Record<string, unknown>) => void, message: string) => {
        await changeConfig(folder, ({ quantizer }) => change(quantizer!));
        const error = await assertRejects(() => loadTokenizer(gpu, folder), CheckpointError);
        assertStringIncludes(error.message, message);
      };
      const phi = { quant_resi: 0.5, share_quant_resi: 4 };
      await refused(
        (json) => Object.assign(json, { kind: "multiscale", ...phi }),
        'quantizer.kind is "multiscale", but',
      );
      await refused((json) => json.kind = "fsq", 'kind is "fsq", expected one of coda, nearest');
      await refused((json) => delete json.kind, "attn_dim is missing");
      await write(gpu, folder, MULTI_SCALE);
      await refused((json) => json.share_quant_resi = 1, "is in no quantizer of kind");
    });
  },
);

gpuTest("inspect tells the kinds apart", async (gpu) => {
  await withFolder(async (folder) => {
    for (const config of [NEAREST, MULTI_SCALE]) {
      await write(gpu, folder, config);
      const inspection = await inspectCheckpoint(folder);
      const { kind, problem, quantizer } = inspection;
      assertEquals([kind, problem], ["tokenizer", undefined]);
      assert(quantizer?.kind === config.kind && quantizer.norm === undefined);
      assertEquals([quantizer.codebookSize, quantizer.channels], [16, 4]);
      assertEquals([quantizer.missing, quantizer.extra], [[], []]);
      assertStringIncludes(inspectionText(inspection), "16 codes of 4 channels, the nearest one");
    }
  });
});
