import { join } from "@std/path";
import { writeFileAtomic } from "../atomic.ts";
import { CheckpointError } from "../errors.ts";
import type { WeightsKind } from "../parts.ts";
import { cacheFolder } from "./cache_folder.ts";
import { download, isFile, type RemoteFile } from "./download.ts";
import { type HubAccess, listCheckpoint, type Listing } from "./listing.ts";
import { type HubReference, parseHubReference } from "./reference.ts";

/** How {@link pullCheckpoint} gets a checkpoint. */
export interface PullOptions {
  /** Which weights of an official CODA folder are wanted; default `ema`. */
  weights?: WeightsKind;
  /** The folder that keeps what was pulled; default `coda/hub` in the user's folder of caches. */
  cache?: string;
  /** The hub's address; default $HF_ENDPOINT, else huggingface.co. */
  hubUrl?: string;
  /** The user's token; default $HF_TOKEN. */
  accessToken?: string;
  /** Hears how many bytes of all files are here, and how many there are. */
  onProgress?: (done: number, total: number) => void;
  /** Hears that the hub could not be reached and what was pulled before is used. */
  onOffline?: (reason: string) => void;
  /** Stops it; the next pull goes on from there. */
  signal?: AbortSignal;
}

/** What a pull brought. */
export interface Pulled {
  /** The file or folder here, to be named to whatever loads a checkpoint. */
  readonly path: string;
  /** The commit that the revision stood for. */
  readonly commit: string;
  /** The files here. */
  readonly files: readonly string[];
  /** Their bytes. */
  readonly bytes: number;
}

/** What is remembered of a pull, so that it needs no hub again. */
interface PullRecord {
  commit: string;
  path: string;
  files: RemoteFile[];
}

/**
 * Downloads a checkpoint, `hf:owner/name[/path][@revision]`, from a model hub, or finds it where an
 * earlier pull put it. Only its weights and config.json are fetched; each file's checksum is
 * verified; a download that was interrupted is gone on with. A commit that was pulled once is not asked
 * for again, and a branch is used as it was pulled last where the hub cannot be reached.
 *
 * @throws {CheckpointError} where there is no such checkpoint, it may not be read, or a file is not what
 * the hub announced.
 *
 * @example
 * ```ts
 * import { loadVae, pullCheckpoint } from "@coda/tokenizer";
 * import { Gpu } from "@coda/tokenizer/tensor";
 *
 * async function sdxl(gpu: Gpu) {
 *   const { path } = await pullCheckpoint("hf:stabilityai/sdxl-vae");
 *   return await loadVae(gpu, path); // or loadVae(gpu, "hf:stabilityai/sdxl-vae")
 * }
 * console.assert(typeof sdxl === "function");
 * ```
 */
export async function pullCheckpoint(text: string, options: PullOptions = {}): Promise<Pulled> {
  const reference = parseHubReference(text);
  const { repo, path, revision } = reference;
  const { weights = "ema", cache = join(cacheFolder(), "hub") } = options;
  const home = join(cache, repo.replace("/", "--"));
  const name = encodeURIComponent(`${path}@${revision}`) + (weights === "ema" ? "" : `.${weights}`);
  const recordPath = join(home, "pulls", `${name}.json`);
  const known = await readRecord(recordPath, home);
  if (known?.commit === revision) return pulled(known, home);

  const access = accessOf(text, options);
  let listing;
  try {
    listing = await listCheckpoint(reference, weights, access);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    if (!known) throw unreachable(reference, access, error);
    options.onOffline?.(error.message);
    return pulled(known, home);
  }
  await downloadAll(reference, listing, home, access, options);
  const record: PullRecord = { ...listing, files: [...listing.files] };
  await Deno.mkdir(join(home, "pulls"), { recursive: true });
  await writeFileAtomic(recordPath, JSON.stringify(record, null, 2));
  return pulled(record, home);
}

async function downloadAll(
  { repo, text }: HubReference,
  { commit, files }: Listing,
  home: string,
  access: HubAccess,
  { onProgress, signal }: PullOptions,
): Promise<void> {
  const { downloadFile } = await import("@huggingface/hub");
  const total = files.reduce((sum, { size }) => sum + size, 0);
  let before = 0;
  for (const file of files) {
    const open = async (offset: number) => {
      // Plain HTTP and not the hub's chunked protocol: that one cannot go on from a byte.
      const blob = await downloadFile({
        ...access,
        repo,
        revision: commit,
        path: file.path,
        xet: false,
        downloadInfo: {
          url: addressOf(repo, commit, file.path, access),
          size: file.size,
          etag: "",
        },
      });
      if (!blob) throw new CheckpointError(text, `no longer has ${file.path}`);
      return (offset === 0 ? blob : blob.slice(offset, file.size)).stream();
    };
    await download(file, join(home, commit, file.path), {
      open,
      onBytes: (bytes) => onProgress?.(before + bytes, total),
      signal,
    });
    before += file.size;
    onProgress?.(before, total);
  }
}

function addressOf(repo: string, commit: string, path: string, { hubUrl }: HubAccess): string {
  return `${hubUrl}/${repo}/resolve/${commit}/${path.split("/").map(encodeURIComponent).join("/")}`;
}

function accessOf(text: string, { hubUrl, accessToken }: PullOptions): HubAccess {
  const token = (accessToken ?? Deno.env.get("HF_TOKEN"))?.trim();
  if (token && !/^hf_[\w.-]+$/.test(token)) { // an OAuth token is a JWT, which has dots
    throw new CheckpointError(
      text,
      "is not asked for: HF_TOKEN is no token, which begins with hf_",
    );
  }
  const address = hubUrl ?? Deno.env.get("HF_ENDPOINT") ?? "https://huggingface.co";
  return { hubUrl: address.replace(/\/$/, ""), ...(token ? { accessToken: token } : {}) };
}

function pulled({ commit, path, files }: PullRecord, home: string): Pulled {
  const root = join(home, commit);
  return {
    path: path === "" ? root : join(root, path),
    commit,
    files: files.map((file) => join(root, file.path)),
    bytes: files.reduce((sum, { size }) => sum + size, 0),
  };
}

/** What an earlier pull noted; undefined where there was none, or its files are gone. */
async function readRecord(path: string, home: string): Promise<PullRecord | undefined> {
  try {
    const record: PullRecord = JSON.parse(await Deno.readTextFile(path));
    for (const file of record.files) {
      if (!await isFile(join(home, record.commit, file.path))) return undefined;
    }
    return record;
  } catch {
    return undefined; // no record, or one that cannot be read: the pull is done anew
  }
}

function unreachable(
  { text }: HubReference,
  { hubUrl }: HubAccess,
  error: TypeError,
): CheckpointError {
  return new CheckpointError(
    text,
    `cannot be pulled: ${hubUrl} cannot be reached (${error.message}) and it was not pulled before`,
    { cause: error },
  );
}
