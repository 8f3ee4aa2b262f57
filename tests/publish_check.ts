// `deno publish --dry-run` on a copy of the package. In the checkout the links of deno.json point
// into it, at std/, which is not published, and publishing refuses that; the copy's point outside.
// To publish: `deno run -A tests/publish_check.ts --publish`, with nothing left to commit.
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

/** Refuses to publish what no commit has. */
async function expectCommitted(): Promise<void> {
  const git = new Deno.Command("git", { args: ["status", "--porcelain"], cwd: root });
  const { success, stdout } = await git.output();
  if (success && stdout.length === 0) return;
  console.error("not published: the checkout has changes without a commit, or is none of git");
  Deno.exit(1);
}

async function publish(folder: string, isDryRun: boolean): Promise<number> {
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
  const command = new Deno.Command(Deno.execPath(), {
    args: ["publish", "--allow-dirty", ...(isDryRun ? ["--dry-run"] : [])], // the copy has no git
    cwd: packageFolder,
    stdin: isDryRun ? "null" : "inherit",
  });
  return (await command.spawn().status).code;
}

const isDryRun = !Deno.args.includes("--publish");
if (!isDryRun) await expectCommitted();
const folder = await Deno.makeTempDir();
const code = await publish(folder, isDryRun);
await Deno.remove(folder, { recursive: true });
Deno.exit(code);
