import { CheckpointError } from "../errors.ts";

/** A place on a model hub: a repository, a file or folder in it, and a version of it. */
export interface HubReference {
  /** The reference as it was written. */
  readonly text: string;
  /** `owner/name`. */
  readonly repo: string;
  /** A file or folder in the repository; empty for its root. */
  readonly path: string;
  /** A branch, tag or commit; default `main`. */
  readonly revision: string;
}

const PREFIX = "hf:";
const NAME = /^[\w.-]+$/;
/** A branch may have slashes in its name: `refs/pr/1`. */
const REVISION = /^[\w.-]+(\/[\w.-]+)*$/;

/** Whether what names a checkpoint is a place on a hub, and no file or folder here. */
export function isHubReference(text: string): boolean {
  return text.startsWith(PREFIX);
}

/**
 * Reads `hf:owner/name[/path][@revision]`.
 *
 * @throws {CheckpointError} where it is no such reference.
 *
 * @example
 * ```ts
 * import { parseHubReference } from "@coda/tokenizer";
 *
 * const { repo, path, revision } = parseHubReference("hf:stabilityai/sdxl-vae@main");
 * console.assert(repo === "stabilityai/sdxl-vae" && path === "" && revision === "main");
 * ```
 */
export function parseHubReference(text: string): HubReference {
  const at = text.indexOf("@");
  const place = text.slice(PREFIX.length, at < 0 ? undefined : at).replace(/\/$/, "");
  const revision = at < 0 ? "main" : text.slice(at + 1);
  const parts = place.split("/");
  const isName = (part: string) => NAME.test(part) && part !== "." && part !== "..";
  const isSafe = parts.every((part) => part !== "" && part !== "." && part !== "..");
  const isRevision = REVISION.test(revision) && !revision.split("/").includes("..");
  const [owner, name, ...path] = parts;
  if (
    !isHubReference(text) || parts.length < 2 || !isName(owner) || !isName(name) || !isSafe ||
    !isRevision
  ) {
    throw new CheckpointError(
      text,
      "is no place on the hub; expected hf:owner/name, then /path and @revision where they matter",
    );
  }
  return { text, repo: `${owner}/${name}`, path: path.join("/"), revision };
}
