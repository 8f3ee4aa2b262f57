import { basename } from "@std/path";
import { printable } from "../../checkpoint/errors.ts";

/** A count with its thousands parted. */
export function count(value: number): string {
  return value.toLocaleString("en-US");
}

/** How many there are of something: "1 image", "2 images". */
export function counted(value: number, name: string): string {
  return `${count(value)} ${name}${value === 1 ? "" : "s"}`;
}

/** Bits of a pixel, with as many digits as tell scales apart. */
export function bitsText(bitsPerPixel: number): string {
  return bitsPerPixel >= 0.1 ? bitsPerPixel.toFixed(3) : bitsPerPixel.toPrecision(3);
}

/** A share in percent. */
export function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

/** An image's name on the page: its folders are of no concern to a reader elsewhere. */
export function nameOf(file: string): string {
  return printable(basename(file));
}

/** The name of a model: that of its file, or what the hub calls it. */
export function modelName(name: string): string {
  return name.startsWith("hf:") ? printable(name) : nameOf(name);
}
