/**
 * Writes kernels/mod.ts from the .wgsl files beside it: `deno task kernels`.
 * With `--check` it writes nothing and exits with 1 where mod.ts is stale.
 *
 * The generated module exists because the JSR server has refused text imports of .wgsl files.
 *
 * @module
 */
const folder = new URL("./", import.meta.url);
const target = new URL("mod.ts", folder);

const names = [...Deno.readDirSync(folder)]
  .map((entry) => entry.name)
  .filter((name) => name.endsWith(".wgsl"))
  .sort();

const escape = (text: string) => text.replace(/[\\`]|\$\{/g, (found) => "\\" + found);

const members = names.map((name) =>
  `  ${name.slice(0, -".wgsl".length)}: \`${
    escape(Deno.readTextFileSync(new URL(name, folder)))
  }\`,`
);
const generated = [
  "// Generated from the .wgsl files in this folder by `deno task kernels`. Do not edit.",
  "",
  "/** The WGSL source of every kernel family, by file name. */",
  `export const sources: Readonly<Record<KernelName, string>> = {`,
  ...members,
  "};",
  "",
  "/** A kernel family: the name of a .wgsl file in kernels/. */",
  `export type KernelName =${names.map((name) => `\n  | "${name.slice(0, -5)}"`).join("")};`,
  "",
].join("\n");

function current(): string {
  try {
    return Deno.readTextFileSync(target);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "";
    throw error;
  }
}

if (Deno.args.includes("--check")) {
  if (current() !== generated) {
    console.error("kernels/mod.ts is stale: run `deno task kernels`");
    Deno.exit(1);
  }
} else if (current() !== generated) {
  Deno.writeTextFileSync(target, generated);
}
