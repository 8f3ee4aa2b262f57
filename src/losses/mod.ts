/**
 * Losses of the adaptation.
 *
 * @module
 */
export { discriminatorLoss, generatorLoss } from "./adversarial.ts";
export { DinoDiscriminator, type DiscriminatorOptions } from "./dino/discriminator.ts";
export { drawCrop } from "./dino/input.ts";
export { inferVitConfig } from "./dino/infer.ts";
export { DINO_SMALL_16, DinoVit, type VitConfig } from "./dino/vit.ts";
export { klLoss } from "./kl.ts";
export { Lpips, type LpipsWeights } from "./lpips.ts";
export type { Perceptual } from "./perceptual.ts";
export { type ReconstructionLosses, reconstructionLosses } from "./reconstruction.ts";
export { ResNet50, RESNET_50, type ResNetConfig } from "./resnet50.ts";
export { ResnetPerceptual } from "./resnet_perceptual.ts";
export { inferVgg16Channels, Vgg16, VGG16_CHANNELS } from "./vgg16.ts";
