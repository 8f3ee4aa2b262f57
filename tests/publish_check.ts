// `deno publish --dry-run` on a copy of the package. In the checkout the links of deno.json point
// into it, at std/, which is not published, and publishing refuses that: in the copy they point out.
import { fromFileUrl, join } from "@std/path";
import config from "../deno.json" with { type: "json" };

const root = fromFileUrl(new URL("../", import.meta.url));
const unpublished = new Set([...config.publish.exclude, ".git", "node_modules", "demo", "runs"]);

async function copy(from: string, to: string): Promise<void> {
  await Deno.mkdir(to, { recursive: true });
  for await (const { name, isDirectory } of Deno.readDir(from)) {
    if (isDirectory) await copy(join(from, name), join(to, name));
    else await Deno.copyFile(join(from, name), join(to, name));
  }
}

async function dryRun(folder: string): Promise<number> {
  const packageFolder = join(folder, "package");
  await Deno.mkdir(packageFolder);
  await copy(join(root, "std"), join(folder, "std"));
  for await (const { name, isDirectory } of Deno.readDir(root)) {
    if (unpublished.has(name)) continue;
    if (isDirectory) await copy(join(root, name), join(packageFolder, name));
    else await Deno.copyFile(join(root, name), join(packageFolder, name));
  }
  const links = config.links.map((link) => join("..", link));
  await Deno.writeTextFile(
    join(packageFolder, "deno.json"),
    JSON.stringify({ ...config, links }, null, 2),
  );
  const publish = new Deno.Command(Deno.execPath(), {
    args: ["publish", "--dry-run", "--allow-dirty"],
    cwd: packageFolder,
    stdin: "null",
  });
  return (await publish.spawn().status).code;
}

const folder = await Deno.makeTempDir();
const code = await dryRun(folder);
await Deno.remove(folder, { recursive: true });
Deno.exit(code);
