/**
 * Photographs in and out: finding image files, decoding and encoding them, resizing and cropping as
 * the official transforms do, and the batches of a training run.
 *
 * @module
 */

export { type Batch, Batches, type BatchesOptions } from "./batches.ts";
export { centerCrop, crop, randomCrop } from "./crop.ts";
export { ImageError, ImageSizeError } from "./errors.ts";
export { findImages, IMAGE_EXTENSIONS } from "./find.ts";
export { ImageFolder, type ImageFolderOptions, type Sample } from "./folder.ts";
export { floatToImage, type Image, imageToFloat } from "./image.ts";
export { loadImage, type LoadOptions } from "./load.ts";
export { padTo } from "./padding.ts";
export { resize, resizeShortSide } from "./resize.ts";
export { saveImage, type SaveOptions } from "./save.ts";
