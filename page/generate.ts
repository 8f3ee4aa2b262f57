/**
 * Writes page/mod.ts from the style and the scripts beside it: `deno task page`. With `--check` it
 * writes nothing and exits with 1 where mod.ts is stale.
 *
 * The scripts become one: `import` lines go, and so does `export` before what a file exports, so that
 * the names of all files must differ.
 *
 * @module
 */
const folder = new URL("./", import.meta.url);
const target = new URL("mod.ts", folder);

/** Each after those that it imports from. */
const SCRIPTS = ["grid.js", "elements.js", "compare.js", "tokens.js", "main.js"];

const read = (name: string) => Deno.readTextFileSync(new URL(name, folder));
const escape = (text: string) => text.replace(/[\\`]|\$\{/g, (found) => "\\" + found);
const joined = (text: string) => text.replace(/^import\b[^;]*;\n/gm, "").replace(/^export /gm, "");

const script = `"use strict";\n(() => {\n${
  SCRIPTS.map((name) => joined(read(name))).join("\n")
}})();\n`;
new Function(script); // throws where it is no script, as with an import or an export left in it
const generated = [
  "// Generated from the style and the scripts in this folder by `deno task page`. Do not edit.",
  "",
  "/** The style of an evaluation's page. */",
  `export const style: string = \`${escape(read("style.css"))}\`;`,
  "",
  "/** Its script. */",
  `export const script: string = \`${escape(script)}\`;`,
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

if (!Deno.args.includes("--check")) Deno.writeTextFileSync(target, generated);
else if (current() !== generated) {
  console.error("page/mod.ts is stale: run `deno task page`");
  Deno.exit(1);
}
