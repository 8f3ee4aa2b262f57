import { assert, assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { CheckpointError, saveTokenizer } from "../src/checkpoint/mod.ts";
import type { Image } from "../src/data/mod.ts";
import type { Gpu } from "../src/gpu/mod.ts";
import { fuseLora } from "../src/nn/mod.ts";
import { Tokenizer } from "../src/tokenizer.ts";
import { decodeTokens, encodeTokens, TokenFileError } from "../src/tokens/mod.ts";
import { Random } from "../src/tensor/mod.ts";
import { flat, gpuTest } from "./support/gpu.ts";
import { tinyModel } from "./train/tiny.ts";

function makeImage(seed: number, width: number, height: number): Image {
  const random = new Random(seed);
  return {
    width,
    height,
    data: Uint8Array.from({ length: width * height * 3 }, () => random.integer(256)),
  };
}

/** Runs `work` with the folder of a tiny tokenizer (reduction 2, V = 16) and the tokenizer itself. */
async function withTokenizer(
  gpu: Gpu,
  work: (tokenizer: Tokenizer, folder: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await flat(gpu, async () => {
      using model = tinyModel(gpu);
      fuseLora(model.vae.convs);
      await saveTokenizer(model, folder);
      using tokenizer = await Tokenizer.load(folder, { gpu });
      await work(tokenizer, folder);
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

gpuTest(
  "any size and aspect ratio comes back in its size, whole or from a prefix of the scales",
  async (gpu) => {
    await withTokenizer(gpu, async (tokenizer) => {
      for (const [width, height] of [[8, 8], [2, 2], [7, 5], [31, 3]]) {
        const image = makeImage(1, width, height);
        const tokens = await tokenizer.encode(image);
        const even = { width: width + width % 2, height: height + height % 2 };
        assertEquals(tokens.grids.at(-1), { height: even.height / 2, width: even.width / 2 });
        assertEquals(tokens.decoded, width % 2 || height % 2 ? even : undefined);
        tokens.indices.forEach((scale, i) =>
          assertEquals(scale.length, tokens.grids[i].height * tokens.grids[i].width)
        );
        for (const scales of [1, tokens.grids.length]) {
          const decoded = await tokenizer.decode(tokens, { scales });
          assertEquals([decoded.width, decoded.height, decoded.data.length], [
            width,
            height,
            width * height * 3,
          ]);
        }
        const prefix = {
          ...tokens,
          grids: tokens.grids.slice(0, 2),
          indices: tokens.indices.slice(0, 2),
        };
        assertEquals(await tokenizer.decode(prefix), await tokenizer.decode(tokens, { scales: 2 }));
      }
    });
  },
);

gpuTest(
  "the same image gives the same tokens alone, in a batch of 3 and in a new process",
  async (gpu) => {
    await withTokenizer(gpu, async (tokenizer, folder) => {
      const images = [1, 2, 3].map((seed) => makeImage(seed, 14, 10));
      const alone = [];
      for (const image of images) alone.push(await tokenizer.encode(image));
      assertEquals(await tokenizer.encodeBatch(images), alone);
      assertNotEquals(alone[0].indices, alone[1].indices);
      const program = fromFileUrl(new URL("support/encode_once.ts", import.meta.url));
      const child = new Deno.Command(Deno.execPath(), {
        args: ["run", "-A", "--no-check", program, folder],
        stdin: "piped",
        stdout: "piped",
      }).spawn();
      const writer = child.stdin.getWriter();
      await writer.write(
        new TextEncoder().encode(JSON.stringify({ ...images[0], data: [...images[0].data] })),
      );
      await writer.close();
      const { stdout } = await child.output();
      assertEquals(decodeTokens(stdout), decodeTokens(encodeTokens(alone[0])));
    });
  },
);

gpuTest("concurrent calls do not disturb one another", async (gpu) => {
  await withTokenizer(gpu, async (tokenizer) => {
    const images = [makeImage(1, 8, 8), makeImage(2, 12, 6), makeImage(3, 8, 8)];
    const inTurn = [];
    for (const image of images) inTurn.push(await tokenizer.encode(image));
    assertEquals(await Promise.all(images.map((image) => tokenizer.encode(image))), inTurn);
  });
});

gpuTest("replayed work gives the tokens and images of work done anew", async (gpu) => {
  await withTokenizer(gpu, async (tokenizer) => {
    const sizes = [[8, 8], [12, 6], [9, 7], [8, 8], [12, 6], [8, 8]];
    const images = sizes.map(([width, height], seed) => makeImage(seed, width, height));
    const run = async (isReplayed: boolean) => {
      const found = [];
      for (const image of images) {
        if (!isReplayed) gpu.trim();
        const tokens = await tokenizer.encode(image);
        const decoded = await tokenizer.decode(tokens);
        const coarse = await tokenizer.decode(tokens, { scales: 1 });
        found.push({ tokens, decoded, coarse, again: await tokenizer.reconstruct(image) });
      }
      return found;
    };
    const anew = await run(false);
    const first = await run(true);
    const { live, reserved } = gpu.memory;
    assertEquals([first, await run(true)], [anew, anew]);
    assertEquals([gpu.memory.live, gpu.memory.reserved], [live, reserved]);
  });
});

gpuTest(
  "in half, a tokenizer has its id and decodes any of its tokens, but is not saved",
  async (gpu) => {
    await withTokenizer(gpu, async (tokenizer, folder) => {
      using half = await Tokenizer.load(folder, { gpu, half: true });
      assertEquals(half.modelId, tokenizer.modelId);
      const image = makeImage(4, 8, 8);
      const [expected, found] = await Promise.all(
        [tokenizer, half].map(async (own) =>
          (await own.decode(await tokenizer.encode(image))).data
        ),
      );
      assert(found.every((byte, i) => Math.abs(byte - expected[i]) <= 3));
      const tokens = await half.encode(image);
      await tokenizer.decode(tokens);
      const [small, large] = [half, tokenizer].map((own) => own.plan("decode", tokens).bytes);
      assert(small < large, `${small} bytes, ${large} in f32`);
      await assertRejects(() => half.save(`${folder}/copy`), TypeError, "load them without half");
    });
  },
);

gpuTest("a saved tokenizer is the same model; in half precision it is another", async (gpu) => {
  await withTokenizer(gpu, async (tokenizer, folder) => {
    const image = makeImage(4, 8, 8);
    await tokenizer.save(`${folder}/copy`);
    await tokenizer.save(`${folder}/half`, { dtype: "f16" });
    using copy = await Tokenizer.load(`${folder}/copy`, { gpu });
    using half = await Tokenizer.load(`${folder}/half`, { gpu });
    assertEquals(copy.modelId, tokenizer.modelId);
    assertEquals(await copy.encode(image), await tokenizer.encode(image));
    assertNotEquals(half.modelId, tokenizer.modelId);
    const tokens = await half.encode(image);
    await assertRejects(() => tokenizer.decode(tokens), TokenFileError, "was made by model");
  });
});

gpuTest(
  "the same image gives the same tokens and image in any memory, alone and in a batch",
  async (gpu) => {
    await withTokenizer(gpu, async (tokenizer, folder) => {
      const images = [1, 2].map((seed) => makeImage(seed, 37, 66));
      const tokens = await tokenizer.encodeBatch(images);
      const decoded = await tokenizer.decode(tokens[1]);
      const reconstructed = await tokenizer.reconstruct(images[1]);
      const paths: string[] = [];
      for (const memoryBytes of [2 ** 23, 2 ** 21, 330_000]) {
        using small = await Tokenizer.load(folder, { memoryBytes });
        paths.push(small.plan("encode", images[0], 2).path, small.plan("decode", images[0]).path);
        assertEquals(await small.encodeBatch(images), tokens);
        const all = await Promise.all([small.decode(tokens[1]), small.reconstruct(images[1])]);
        assertEquals(all, [decoded, reconstructed]);
        assert(small.gpu.memory.reservedPeak <= memoryBytes, `${small.gpu.memory.reservedPeak}`);
      }
      assertEquals(paths, ["whole", "whole", "bands", "bands", "bands", "bands"]);
    });
  },
);

gpuTest("images and tokens that do not fit are refused with what to do", async (gpu) => {
  await withTokenizer(gpu, async (tokenizer) => {
    await assertRejects(
      () => tokenizer.encode(makeImage(1, 1, 9)),
      RangeError,
      "1×9 is smaller than one token",
    );
    const wide = { width: 200_000, height: 60_000, data: new Uint8Array(0) };
    await assertRejects(() => tokenizer.encode(wide), RangeError, "a side may have 32767 pixels");
    const mixed = [makeImage(1, 8, 8), makeImage(1, 8, 6)];
    await assertRejects(
      () => tokenizer.encodeBatch(mixed),
      RangeError,
      "images of one batch have one size",
    );
    await assertRejects(() => tokenizer.encodeBatch([]), RangeError, "no image");
    const short = { width: 9, height: 8, data: new Uint8Array(10) };
    await assertRejects(() => tokenizer.encode(short), RangeError, "9×8 has 10 bytes");
    const broken = { width: 8.5, height: 8, data: new Uint8Array(204) };
    await assertRejects(() => tokenizer.encode(broken), RangeError, "expected whole numbers");
    const tokens = await tokenizer.encode(makeImage(1, 8, 8));
    await assertRejects(
      () => tokenizer.decode(tokens, { scales: 4 }),
      RangeError,
      "4 scales of tokens that hold 1 to 3",
    );
    await assertRejects(() => tokenizer.decode(tokens, { scales: 0 }), RangeError, "0 scales");
    const stretched = { ...tokens, width: 16 };
    await assertRejects(() => tokenizer.decode(stretched), RangeError, "not those of a 16×8 image");
    const covering = { ...tokens, decoded: { width: 4096, height: 4096 } };
    await assertRejects(() => tokenizer.decode(covering), RangeError, "cover 4096×4096");
    const larger = { ...tokens, codebookSize: 32 };
    await assertRejects(
      () => tokenizer.decode(larger),
      RangeError,
      "of 32 codes, the model has 16",
    );
  });
});

gpuTest("a folder that holds no tokenizer is named with what is missing", async (gpu) => {
  await assertRejects(
    () => Tokenizer.load("no/such", { gpu }),
    CheckpointError,
    "no/such: there is no such file or folder",
  );
  const vae = fromFileUrl(new URL("../models/tiny-kl-f8", import.meta.url));
  await assertRejects(
    () => Tokenizer.load(vae, { gpu }),
    CheckpointError,
    `${vae}: holds an autoencoder and no quantizer, so it is no tokenizer yet`,
  );
});
