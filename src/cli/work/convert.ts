/** The work of `coda convert`. */
import { type Conversion, convertCheckpoint, type ConvertOptions } from "../../checkpoint/mod.ts";
import { CommandError } from "../errors.ts";
import { formatCount } from "../format.ts";
import { stopOnInterrupt } from "../interrupt.ts";
import { Progress } from "../progress.ts";
import { pullFirst } from "./pull.ts";

/** How a conversion is shown. */
interface Show {
  /** Whether what was written is printed as JSON. */
  readonly json: boolean;
  /** Whether nothing but JSON and problems is shown. */
  readonly quiet: boolean;
}

/** Converts, with a line of progress, and says what was written. */
export async function convertFile(
  input: string,
  output: string,
  { json, quiet, ...options }: ConvertOptions & Show,
): Promise<void> {
  await pullFirst(input, { quiet: quiet || json, weights: options.weights });
  using stop = stopOnInterrupt();
  using progress = new Progress({ label: "convert", unit: "tensors", quiet: quiet || json });
  const conversion = await convertCheckpoint(input, output, {
    ...options,
    signal: stop.signal,
    onTensor: (done, total) => progress.update(done, `of ${total}`),
  }).catch((error) => {
    throw error === stop.signal.reason ? new CommandError("stopped; nothing was written") : error;
  });
  if (json) console.log(JSON.stringify(conversion, null, 2));
  else if (!quiet) console.log(doneText(conversion));
  const { guessedFamily } = conversion;
  if (guessedFamily === undefined || quiet) return;
  progress.message(
    `coda: the latent's scale is taken to be ${guessedFamily}'s, whose shape another family has too; ` +
      "--scale says otherwise",
  );
}

/** What was written, in a line. */
export function doneText({ kind, layout, ...written }: Conversion): string {
  const { file, tensors, parameters, fused, leftOut } = written;
  const what = kind === "tensors" ? "tensors of another model" : `the ${kind}`;
  return [
    `${file}: ${what}${layout === undefined ? "" : ` in ${layout} layout`}`,
    `${formatCount(tensors)} tensors`,
    `${formatCount(parameters)} parameters`,
    ...(fused > 0 ? [`${fused} ${fused === 1 ? "adapter" : "adapters"} fused`] : []),
    ...(leftOut > 0 ? [`${formatCount(leftOut)} of other models left out`] : []),
  ].join(", ");
}
