import type { Tokens } from "../../src/tokens/mod.ts";

/** The id of no model at all. */
export const MODEL_ID = "00112233445566778899aabbccddeeff";

/** Tokens of V codes on three grids, with the smallest and the largest index among them. */
export function sample(codebookSize: number): Tokens {
  const grids = [{ height: 1, width: 1 }, { height: 2, width: 3 }, { height: 5, width: 4 }];
  const indices = grids.map(({ height, width }, scale) =>
    Uint32Array.from(
      { length: height * width },
      (_, i) => i === 0 ? codebookSize - 1 : (i * 2654435 + scale * 977) % codebookSize,
    )
  );
  return { width: 31, height: 40, codebookSize, modelId: MODEL_ID, grids, indices };
}
