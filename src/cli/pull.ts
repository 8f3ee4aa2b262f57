/** `coda pull`: a checkpoint comes from a model hub. */
import { type Command, defineCommand } from "./command.ts";
import { booleanFlag } from "./flags.ts";
import { formatBytes } from "./format.ts";

/** The command. */
export const pull: Command = defineCommand({
  name: "pull",
  summary: "downloads a checkpoint from a model hub",
  description: `
    Downloads the weights and config.json of a checkpoint, verifies their checksums, and prints the
    path to give to --model. Where a repository holds several, name the folder or file in it. What was
    pulled is kept in the folder of caches, or in CODA_CACHE; an interrupted download is gone on with.

    Every command that takes a checkpoint takes hf:owner/name too, and pulls it first. HF_TOKEN is
    the token for gated and private repositories, HF_ENDPOINT another hub's address.`,
  positionals: { name: "hf:OWNER/NAME[/PATH][@REVISION]", min: 1, max: 1 },
  flags: { json: booleanFlag("print path, commit, files and bytes as one JSON document") },
  examples: [
    { does: "an autoencoder", type: "coda pull hf:stabilityai/sdxl-vae" },
    {
      does: "the autoencoder's folder of a pipeline, at a tag or commit",
      type: "coda pull hf:black-forest-labs/FLUX.1-dev/vae@main",
    },
    { does: "what it is", type: "coda pull hf:stabilityai/sdxl-vae && coda inspect $_" },
  ],
  async run({ flags, args: [reference] }) {
    const { pull } = await import("./work/pull.ts");
    const pulled = await pull(reference, flags);
    if (flags.json) console.log(JSON.stringify(pulled, null, 2));
    else console.log(pulled.path);
    if (!flags.json && !flags.quiet) {
      console.error(
        `${pulled.files.length} files, ${formatBytes(pulled.bytes)}, commit ${
          pulled.commit.slice(0, 12)
        }`,
      );
    }
  },
});
