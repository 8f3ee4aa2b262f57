import {
  CheckpointError,
  isHubReference,
  openTensors,
  pullCheckpoint,
  type TensorFile,
} from "../checkpoint/mod.ts";
import type { Gpu } from "../gpu/mod.ts";
import { inferVgg16Channels, Lpips } from "../losses/mod.ts";

/** LPIPS out of its two files. @throws {CheckpointError} where one is missing or of another model. */
export async function loadLpips(gpu: Gpu, vgg: string, lpips: string): Promise<Lpips> {
  using features = await openWeights(vgg);
  using lin = await openWeights(lpips);
  const channels = shapeIn(features, inferVgg16Channels);
  return await Lpips.load(gpu, { vgg: features, lin }, channels);
}

/** What a file says of its network's shape; the error of one that says none names the file. */
export function shapeIn<Shape>(file: TensorFile, infer: (file: TensorFile) => Shape): Shape {
  try {
    return infer(file);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new CheckpointError(file.file, error.message, { cause: error });
  }
}

/** A weight file, here or on a hub. */
export async function openWeights(path: string): Promise<TensorFile> {
  return await openTensors(isHubReference(path) ? (await pullCheckpoint(path)).path : path);
}
