import type { CodaQuantizerConfig } from "./config.ts";

/**
 * How tokens are assigned to codes: `composed` makes the whole matrix of logits, `streamed` computes it
 * piece by piece, again in every pass.
 */
export type Path = "composed" | "streamed";

let forced: Path | undefined;

/** What codes are chosen for. */
export type Purpose = "encode" | "train";

/** The least codebook for which streaming is worth compiling its kernels (bench/results/quantizer.md). */
const LARGE: Readonly<Record<Purpose, number>> = { encode: 512, train: 64 };

/** Whether the streaming kernels have registers for rows of so many channels. */
export function canStream(channels: number): boolean {
  return channels % 4 === 0 && channels <= 32;
}

/** The path for a codebook: streamed where it is large and the kernels have registers for its channels. */
export function pathFor(
  purpose: Purpose,
  { codebookSize, channels, attentionDim }: CodaQuantizerConfig,
): Path {
  if (!canStream(channels) || !canStream(attentionDim)) return "composed";
  return forced ?? (codebookSize >= LARGE[purpose] ? "streamed" : "composed");
}

/** Runs `work` on one path, so that tests and benches reach both. */
export async function withPath<T>(path: Path, work: () => T | Promise<T>): Promise<T> {
  const before = forced;
  forced = path;
  try {
    return await work();
  } finally {
    forced = before;
  }
}
