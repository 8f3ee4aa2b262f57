/** What a checkpoint holds, as a person reads it. */
import type {
  Amount,
  Difference,
  InspectedFamily,
  InspectedFile,
  InspectedQuantizer,
  InspectedVae,
  Inspection,
} from "../checkpoint/mod.ts";
import { printable } from "../checkpoint/errors.ts";
import { formatBytes, formatCount } from "./format.ts";

/** A label, and what there is to say under it. */
type Row = readonly [label: string, text: string];

/** How many of a list's names are written out. */
const SHOWN = 4;

/** An inspection, one label a line. */
export function inspectionText(inspection: Inspection): string {
  const { vae, quantizer } = inspection;
  const rows: Row[] = [
    ...inspection.files.map((file): Row => ["File", fileText(file)]),
    ["Holds", kindText(inspection)],
    ...(vae ? vaeRows(vae) : []),
    ...(quantizer ? quantizerRows(quantizer) : []),
    ...(inspection.nearest ? nearestRows(inspection.nearest) : []),
    ...(inspection.nearest ? [] : inspection.others.map((group): Row => [
      "Beside",
      `${group.name}: ${amountText(group)}`,
    ])),
    ["Usable", inspection.problem === undefined ? "yes" : `no: ${inspection.problem}`],
  ];
  return rows.map(([label, text]) => printable(`${label.padEnd(12)}${text}`)).join("\n");
}

function fileText({ file, format, ...amount }: InspectedFile): string {
  const kind = format === "pytorch" ? "PyTorch" : "safetensors";
  return `${file}, ${kind}, ${formatBytes(amount.bytes)}, ${amountText(amount)}`;
}

/** "83,819,683 parameters in 244 tensors, f32 (240) and f16 (4)". */
function amountText({ tensors, parameters, dtypes }: Amount): string {
  const kinds = Object.entries(dtypes).sort(([, a], [, b]) => b - a);
  const stored = kinds.length < 2
    ? kinds.map(([dtype]) => dtype)
    : kinds.map(([dtype, count]) => `${dtype} (${count})`);
  const numbers = `${formatCount(parameters)} ${parameters === 1 ? "parameter" : "parameters"}`;
  const places = `${formatCount(tensors)} ${tensors === 1 ? "tensor" : "tensors"}`;
  return [`${numbers} in ${places}`, ...stored].join(", ");
}

function kindText({ kind, looksLike }: Inspection): string {
  if (kind === "tokenizer") return "a tokenizer: an autoencoder and a quantizer";
  if (kind === "autoencoder") return "a continuous autoencoder";
  if (kind === "quantizer") return "a quantizer";
  return looksLike === undefined
    ? "no model that coda uses, nor another that it knows"
    : `no model that coda uses; it looks like ${looksLike}`;
}

function vaeRows(vae: InspectedVae): Row[] {
  const { layout, prefix, shape, lora, difference } = vae;
  const name = { ldm: "LDM", diffusers: "diffusers", "diffusers-old": "older diffusers" }[layout];
  return [
    ["Family", familyText(vae)],
    ["Layout", name + (prefix === "" ? "" : `, names below ${JSON.stringify(prefix)}`)],
    ...(shape ? [["Network", networkText(vae)] as const] : []),
    ["Latent", latentText(vae)],
    ["Autoencoder", amountText(vae)],
    ...(lora
      ? [
        [
          "Adapters",
          `rank ${lora.rank} on ${lora.convolutions} convolutions, ${amountText(lora)}`,
        ] as const,
      ]
      : []),
    ...(difference ? differenceRows(difference) : []),
    ...(vae.nearest ? [["Nearest", nearestFamilyText(vae.nearest)] as const] : []),
  ];
}

function familyText({ family }: InspectedVae): string {
  if (family === undefined) return "none that is published";
  const width = family.width === 1 ? "" : `'s build at ${family.width} of its width`;
  return family.name + width + othersText(family);
}

function othersText({ others, by }: InspectedFamily): string {
  if (others.length === 0) return "";
  const why = {
    shape: "",
    scale: "by the latent's scale",
    file: "the rest of the file tells",
    name: "by the file's name",
    preset: "by the preset",
    nothing: "a guess: nothing in the file tells",
  }[by];
  return ` (${others.join(" and ")} has the same shape; ${why})`;
}

function networkText({ shape, reduction }: InspectedVae): string {
  const { channels, blocksPerLevel, latentChannels, midAttention } = shape!;
  const levels = shape!.encoderAttentionLevels;
  return [
    `${reduction}× reduction`,
    `channels ${channels.join(", ")}`,
    `${blocksPerLevel} ${blocksPerLevel === 1 ? "block" : "blocks"} a level`,
    `${latentChannels} latent channels`,
    `attention ${midAttention ? "in the middle" : "nowhere in the middle"}` +
    (levels.length > 0 ? ` and in the encoder's level ${levels.join(", ")}` : ""),
    `quant_conv ${shape!.quantConv ? "yes" : "no"}`,
    `post_quant_conv ${shape!.postQuantConv ? "yes" : "no"}`,
  ].join(", ");
}

function latentText({ scale, shift, scaledBy, family }: InspectedVae): string {
  if (scale === undefined) return "scale and shift unknown: --scale and --shift say them";
  const by = {
    option: "as told",
    config: "by its configuration",
    family: `those of ${family?.name}`,
  }[scaledBy ?? "option"];
  const guess = scaledBy === "family" && family?.by === "nothing" ? "; --scale says otherwise" : "";
  return `scale ${scale}, shift ${shift}, ${by}${guess}`;
}

/** How a quantizer chooses codes. */
function choiceText({ kind, attentionDim, norm }: InspectedQuantizer): string {
  if (kind === "nearest") return "the nearest one";
  if (kind === "multiscale") return "the nearest one at each scale (VAR's)";
  return `attention over ${attentionDim ?? "?"}, norm ${norm}`;
}

function quantizerRows(quantizer: InspectedQuantizer): Row[] {
  const { codebookSize, channels, patchSizes, preset } = quantizer;
  const grids = patchSizes ? `grids ${patchSizes.join(" ")}` : "grids unknown";
  const lists: Row[] = [["Missing", listText(quantizer.missing)], [
    "Extra",
    listText(quantizer.extra),
  ]];
  return [
    [
      "Quantizer",
      `${formatCount(codebookSize)} codes of ${channels} channels, ${choiceText(quantizer)}, ` +
      `${grids}${preset ? `, preset ${preset}` : ""}`,
    ],
    ["", amountText(quantizer)],
    ...lists.filter(([, text]) => text !== "none"),
  ];
}

/** What a model lacks, has in another shape, or has beside. */
function differenceRows({ missing, misshapen, extra }: Difference): Row[] {
  return [
    ["Missing", listText(missing)],
    ["Extra", listText(extra)],
    ...(misshapen.length > 0
      ? [
        [
          "Misshapen",
          listText(misshapen.map(({ name, found, expected }) =>
            `${name} [${found.join(", ")}], expected [${expected.join(", ")}]`
          )),
        ] as const,
      ]
      : []),
  ];
}

function nearestFamilyText({ name, otherwise, difference }: NonNullable<InspectedVae["nearest"]>) {
  const { same, tensors } = difference;
  return [`${name}, ${same} of whose ${tensors} tensors it has`, ...otherwise].join("; ");
}

/** Why a file of something else is not what it is nearest to. */
function nearestRows(nearest: Difference): Row[] {
  const { model, tensors, same, misshapen, missing, extra } = nearest;
  const named = same + misshapen.length;
  return [
    ["Nearest", `${model}, ${same} of whose ${tensors} tensors it has`],
    ...(named === 0
      ? [["", "none of its tensors has a name of that model's"] as const]
      : differenceRows(nearest)),
    ...(named === 0
      ? [["Has", listText(extra)] as const, ["Missing", listText(missing)] as const]
      : []),
  ];
}

/** The first names of a list, and how many more there are. */
function listText(names: readonly string[]): string {
  if (names.length === 0) return "none";
  const shown = names.slice(0, SHOWN).join(", ");
  const count = names.length > 1 ? `${formatCount(names.length)}: ` : "";
  return count + shown + (names.length > SHOWN ? ", …" : "");
}
