import type { HubApiError } from "@huggingface/hub";
import { basename, dirname, extname } from "node:path/posix";
import { CheckpointError } from "../errors.ts";
import { chooseWeights } from "../folder.ts";
import { WEIGHT_EXTENSIONS } from "../open_tensors.ts";
import type { WeightsKind } from "../parts.ts";
import { INDEX_SUFFIX } from "../sharded.ts";
import type { RemoteFile } from "./download.ts";
import type { HubReference } from "./reference.ts";

/** Which hub is asked, and as whom. */
export interface HubAccess {
  /** The hub's address. */
  readonly hubUrl: string;
  /** The user's token, for private and gated repositories. */
  readonly accessToken?: string;
}

/** The files of a checkpoint on a hub. */
export interface Listing {
  /** The commit that the revision stood for. */
  readonly commit: string;
  /** The file or folder that holds the checkpoint; empty for the root. */
  readonly path: string;
  /** Its weights, and config.json where there is one. */
  readonly files: readonly RemoteFile[];
}

/**
 * Asks the hub which files a reference means: a weight file with the config.json beside it, or what
 * of a folder is its checkpoint. Nothing else of the repository is wanted.
 *
 * @throws {CheckpointError} where there is no such place, it may not be read, or nothing says which of
 * its files is meant. A hub that cannot be reached is fetch's TypeError.
 */
export async function listCheckpoint(
  reference: HubReference,
  kind: WeightsKind,
  access: HubAccess,
): Promise<Listing> {
  const { HubApiError, modelInfo } = await import("@huggingface/hub"); // large, and seldom needed
  try {
    const { repo: name, revision } = reference;
    const { sha: commit } = await modelInfo({
      ...access,
      name,
      revision,
      additionalFields: ["sha"],
    });
    if (!/^[0-9a-f]{40,64}$/.test(commit)) throw new Error(`${commit} is no commit`);
    const { path } = reference;
    return isWeights(path)
      ? await listFile(reference, commit, access)
      : await listFolder(reference, { commit, path, kind }, access);
  } catch (error) {
    throw error instanceof HubApiError ? refused(reference, error) : error;
  }
}

function isWeights(path: string): boolean {
  return path.endsWith(INDEX_SUFFIX) || WEIGHT_EXTENSIONS.includes(extname(path).toLowerCase());
}

async function listFile(
  reference: HubReference,
  commit: string,
  access: HubAccess,
): Promise<Listing> {
  const { path } = reference;
  const folder = dirname(path) === "." ? "" : dirname(path);
  const there = await filesIn(reference, { commit, path: folder }, access);
  const name = basename(path);
  if (!there.has(name)) {
    throw new CheckpointError(reference.text, `is not there; beside it are ${names(there)}`);
  }
  return { commit, path, files: select(there, [name]) };
}

async function listFolder(
  reference: HubReference,
  { commit, path, kind }: { commit: string; path: string; kind: WeightsKind },
  access: HubAccess,
): Promise<Listing> {
  const there = await filesIn(reference, { commit, path }, access);
  const weights = chooseWeights(reference.text, [...there.keys()].sort(), kind);
  if (weights.length > 0) return { commit, path, files: select(there, weights) };
  if (there.has("model_index.json")) {
    return await listFolder(
      reference,
      { commit, path: path ? `${path}/vae` : "vae", kind },
      access,
    );
  }
  throw new CheckpointError(
    reference.text,
    `holds no weight file (${WEIGHT_EXTENSIONS.join(", ")}) but ${names(there)}; ` +
      "name the file, or the folder it is in",
  );
}

/** The files that lie in a folder of the repository, by name. */
async function filesIn(
  { repo, text }: HubReference,
  { commit, path }: { commit: string; path: string },
  access: HubAccess,
): Promise<Map<string, RemoteFile>> {
  const { listFiles } = await import("@huggingface/hub");
  const files = new Map<string, RemoteFile>();
  for await (const entry of listFiles({ ...access, repo, revision: commit, path })) {
    if (entry.type !== "file") continue;
    const name = basename(entry.path);
    const expected = path ? `${path}/${name}` : name;
    if (entry.path !== expected || name === ".." || name.includes("\\")) {
      throw new CheckpointError(text, `lists ${JSON.stringify(entry.path)}, which is not in it`);
    }
    const checksum = entry.lfs?.oid ?? entry.oid ?? "";
    files.set(name, { path: entry.path, size: entry.size, checksum });
  }
  return files;
}

/** The named files, the shards of an index among them, and config.json. */
function select(there: ReadonlyMap<string, RemoteFile>, wanted: readonly string[]): RemoteFile[] {
  const shards = wanted.filter((name) => name.endsWith(INDEX_SUFFIX)).flatMap((index) => {
    const whole = index.slice(0, -INDEX_SUFFIX.length);
    const stem = whole.slice(0, -extname(whole).length);
    return [...there.keys()].filter((name) =>
      name.startsWith(`${stem}-`) && name.endsWith(extname(whole))
    );
  });
  return ["config.json", ...wanted, ...shards].flatMap((name) => there.get(name) ?? []);
}

function names(there: ReadonlyMap<string, RemoteFile>): string {
  const all = [...there.keys()].filter((name) => !name.startsWith("."));
  if (all.length === 0) return "no files";
  return all.slice(0, 12).join(", ") + (all.length > 12 ? ` and ${all.length - 12} more` : "");
}

function refused({ text, repo, revision }: HubReference, error: HubApiError): CheckpointError {
  const { statusCode } = error;
  const problem = statusCode === 401 || statusCode === 403
    ? "may not be read; accept its terms on the hub where it asks for that, and set HF_TOKEN"
    : statusCode === 404
    ? `is not on the hub: there is no ${repo}, or in it no revision ${revision} or no such folder`
    : `was refused by the hub (status ${statusCode}): ${error.message}`;
  return new CheckpointError(text, problem, { cause: error });
}
