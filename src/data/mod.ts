/**
 * Photographs in and out: finding image files, decoding and encoding them, resizing and cropping as
 * the official transforms do.
 *
 * @module
 */

export { centerCrop, crop, randomCrop } from "./crop.ts";
export { ImageError } from "./errors.ts";
export { findImages, IMAGE_EXTENSIONS } from "./find.ts";
export { floatToImage, type Image, imageToFloat } from "./image.ts";
export { loadImage, type LoadOptions } from "./load.ts";
export { resize, resizeShortSide } from "./resize.ts";
export { saveImage, type SaveOptions } from "./save.ts";
