import { nameHash } from "../protocols.ts";
import type { MeasuredImage } from "../measure.ts";

/** What a report keeps of a measured image. */
export type ChosenImage = Omit<MeasuredImage, "features">;

/** Why an image is shown: it is among the worst or the best by PSNR, or was drawn from the others. */
export type Group = "worst" | "between" | "best";

/** An image to be shown. */
export interface Chosen {
  /** Why. */
  readonly group: Group;
  /** What was measured. */
  readonly image: ChosenImage;
}

/** How many images each group has at most. */
const GROUP = 4;

type Order = (a: ChosenImage, b: ChosenImage) => number;

/**
 * Chooses images of a set to show, in memory that does not grow with it: the worst, the best, and some
 * that are drawn by their names' hashes. Which they are does not depend on the order of the images.
 */
export class Choice {
  #images = 0;
  #worst = new Firsts(GROUP, byPsnr);
  #best = new Firsts(GROUP, (a, b) => byPsnr(b, a));
  /** Of these as many as the other groups may hold are not drawn. */
  #drawn = new Firsts(3 * GROUP, byHash);

  /** Offers an image. */
  add({ features: _, ...image }: MeasuredImage): void {
    this.#images++;
    for (const firsts of [this.#worst, this.#best, this.#drawn]) firsts.add(image);
  }

  /** The worst, worst first; those between; the best, best first. No image is there twice. */
  chosen(): Chosen[] {
    const worst = this.#worst.items.slice(0, Math.floor(this.#images / 2));
    const best = this.#best.items.slice(0, this.#images - worst.length);
    const taken = new Set([...worst, ...best]);
    const others = this.#drawn.items.filter((image) => !taken.has(image)).slice(0, GROUP);
    const as = (group: Group) => (image: ChosenImage) => ({ group, image });
    return [
      ...worst.map(as("worst")),
      ...others.sort(byPsnr).map(as("between")),
      ...best.map(as("best")),
    ];
  }
}

/** The first few in an order. */
class Firsts {
  readonly items: ChosenImage[] = [];
  #count: number;
  #order: Order;

  constructor(count: number, order: Order) {
    this.#count = count;
    this.#order = order;
  }

  add(item: ChosenImage): void {
    this.items.push(item);
    this.items.sort(this.#order);
    this.items.splice(this.#count);
  }
}

function byPsnr(a: ChosenImage, b: ChosenImage): number {
  const [left, right] = [a.discrete.psnr ?? Infinity, b.discrete.psnr ?? Infinity];
  return left === right ? byName(a, b) : left < right ? -1 : 1;
}

function byHash(a: ChosenImage, b: ChosenImage): number {
  return nameHash(a.file) - nameHash(b.file) || byName(a, b);
}

function byName(a: ChosenImage, b: ChosenImage): number {
  return a.file === b.file ? 0 : a.file < b.file ? -1 : 1;
}
