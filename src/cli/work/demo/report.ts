/** What the demo says and draws of its results. */
import { join } from "@std/path";
import { codebookUse } from "../../../metrics/mod.ts";
import { tokenCount } from "../../../quantizer/mod.ts";
import { creditOf } from "./photos.ts";
import type { Panel } from "./picture.ts";
import type { HeldOut } from "./prepare.ts";
import { bitsPerPixel, type Copy, type Reconstruction } from "./reconstruct.ts";

/** A held-out photograph in every form. */
export interface Row {
  /** The photograph. */
  readonly original: HeldOut;
  /** Through the continuous VAE. */
  readonly continuous: Copy;
  /** Through what the demo trained. */
  readonly demo: Reconstruction;
  /** Through the tokenizer that ships with the package. */
  readonly builtIn: Reconstruction;
}

/** How the program is called from where the demo was. */
const PROGRAM = import.meta.url.startsWith("file:")
  ? "deno task coda"
  : "deno run -A jsr:@coda/tokenizer/cli";

/** The titles of the picture's columns. */
export function titlesOf([{ demo }]: readonly Row[]): string[] {
  const scales = demo.scales.map((_, k) => k === 0 ? "scale 1" : `scales 1-${k + 1}`);
  return ["original", "continuous VAE", "built-in tokens", "demo tokens", ...scales];
}

/** The picture's row of a photograph. */
export function rowPanels({ original, continuous, demo, builtIn }: Row): Panel[] {
  const panel = ({ image, psnr }: Copy) => ({ image, caption: `${psnr.toFixed(1)} dB` });
  return [
    { image: original.image, caption: "" },
    panel(continuous),
    panel(builtIn.discrete),
    panel(demo.discrete),
    ...demo.scales.map(panel),
  ];
}

/** The figures. */
export function resultText(rows: readonly Row[]): string {
  const lines = rows.map(({ original, continuous, demo, builtIn }) =>
    [
      `  ${original.name.slice(0, 40).padEnd(40)}`,
      `${decibels([continuous.psnr])} continuous`,
      `${decibels([demo.discrete.psnr])} demo's tokens`,
      `${decibels([builtIn.discrete.psnr])} built-in tokens`,
    ].join("  ")
  );
  const mean = [
    `  ${"mean".padEnd(40)}`,
    `${decibels(rows.map(({ continuous }) => continuous.psnr))} continuous`,
    `${decibels(rows.map(({ demo }) => demo.discrete.psnr))} demo's tokens`,
    `${decibels(rows.map(({ builtIn }) => builtIn.discrete.psnr))} built-in tokens`,
  ].join("  ");
  return [
    "PSNR to the original:",
    ...lines,
    mean,
    `The demo's tokenizer: ${figures(rows.map(({ demo }) => demo))}`,
    `The built-in one:     ${figures(rows.map(({ builtIn }) => builtIn))}`,
  ].join("\n");
}

function decibels(values: readonly number[]): string {
  return `${(values.reduce((sum, value) => sum + value, 0) / values.length).toFixed(2)} dB`;
}

/** How many tokens a photograph takes, and how many of the codes all of them use. */
function figures(found: readonly Reconstruction[]): string {
  const [{ tokens }] = found;
  const { used } = codebookUse(found.flatMap(({ tokens }) => tokens.indices), tokens.codebookSize);
  return [
    `${tokenCount(tokens.grids)} tokens an image`,
    `${bitsPerPixel(tokens).toFixed(3)} bits per pixel (the original has 24)`,
    `${(used * 100).toFixed(0)} % of ${tokens.codebookSize} codes used on these ${found.length}`,
  ].join(", ");
}

/** Where everything is, whose photographs they are, and what to try. */
export function nextText(out: string, rows: readonly Row[]): string {
  const name = rows[0].original.name;
  const tokenizer = join(out, "tokenizer");
  const credits = rows.flatMap(({ original }) => creditOf(original.name) ?? []);
  return [
    `The picture:   ${join(out, "demo.png")}`,
    `The tokens:    ${join(out, "*.coda")}`,
    `The tokenizer: ${tokenizer}`,
    ...(credits.length > 0 ? [`Photographs by ${credits.join("; ")}`] : []),
    "",
    "To try next:",
    `  ${PROGRAM} decode ${join(out, name)}.coda --model ${tokenizer} --scales 3`,
    `  ${PROGRAM} encode photo.jpg --short-side 256`,
    `  ${PROGRAM} decode photo.coda`,
    `  ${PROGRAM} adapt --help`,
  ].join("\n");
}
