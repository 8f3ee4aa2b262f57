import { createHash } from "node:crypto";

/** A model hub on this machine with one repository, `owner/name`, whose files are given. */
export interface HubServer extends AsyncDisposable {
  /** Its address. */
  readonly url: string;
  /** What it was asked, in order: `resolve vae/config.json from 0`, `tree vae`, `revision main`. */
  readonly asked: string[];
  /** What the branch `main` points at. */
  commit: string;
  /** What files hold, by path. */
  readonly files: Map<string, Uint8Array<ArrayBuffer>>;
  /** Ends the next downloads after so many bytes. */
  cuts: number[];
  /** Announces the checksums of other bytes. */
  liesAboutChecksums: boolean;
  /** Files that it lists in every folder, wherever they say they are. */
  strays: string[];
  /** Answers a range with the whole file. */
  ignoresRanges: boolean;
  /** The token that it wants, where it wants one. */
  token?: string;
}

const API = /^\/api\/models\/owner\/name\/(revision|tree)\/([^/]+)\/?(.*)$/;
const FILE = /^\/owner\/name\/resolve\/([^/]+)\/(.*)$/;

/** Starts a hub; as much of one as a client asks for. */
export function serveHub(files: Record<string, Uint8Array<ArrayBuffer>>): HubServer {
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, answer);
  const hub: HubServer = {
    url: `http://127.0.0.1:${server.addr.port}`,
    asked: [],
    commit: "1".repeat(40),
    files: new Map(Object.entries(files)),
    cuts: [],
    liesAboutChecksums: false,
    strays: [],
    ignoresRanges: false,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
  return hub;

  function answer(request: Request): Response {
    const { pathname } = new URL(request.url);
    if (hub.token && request.headers.get("authorization") !== `Bearer ${hub.token}`) {
      return Response.json({ error: "gated" }, { status: 401 });
    }
    const [, kind, revision, folder] = API.exec(pathname) ?? [];
    const isKnown = revision === "main" || revision === hub.commit;
    if (kind === "revision" && isKnown) {
      hub.asked.push(`revision ${revision}`);
      return Response.json({ _id: "1", id: "owner/name", sha: hub.commit, lastModified: 0 });
    }
    if (kind === "tree" && isKnown) return tree(decodeURIComponent(folder));
    const [, at, path] = FILE.exec(pathname) ?? [];
    if (at === hub.commit) return file(decodeURIComponent(path), request);
    return Response.json({ error: "no such repository" }, { status: 404 });
  }

  function tree(folder: string): Response {
    hub.asked.push(`tree ${folder}`);
    const prefix = folder === "" ? "" : `${folder}/`;
    const entries = [...hub.files].flatMap(([path, bytes]) => {
      if (!path.startsWith(prefix)) return [];
      const [name, ...inner] = path.slice(prefix.length).split("/");
      if (inner.length > 0) return [{ type: "directory", path: prefix + name, size: 0, oid: "" }];
      return [{ type: "file", path, size: bytes.length, ...checksums(path, bytes) }];
    });
    for (const path of hub.strays) entries.push({ type: "file", path, size: 1, oid: "" });
    if (entries.length > 0) return Response.json(entries);
    return Response.json({ error: "no such folder" }, { status: 404 });
  }

  /** A large file is kept under its SHA-256, any other under git's hash. */
  function checksums(path: string, bytes: Uint8Array) {
    const shown = hub.liesAboutChecksums ? new Uint8Array(bytes.length) : bytes;
    const oid = createHash("sha1").update(`blob ${bytes.length}\0`).update(shown).digest("hex");
    if (path.endsWith(".json")) return { oid };
    const sha256 = createHash("sha256").update(shown).digest("hex");
    return { oid: "0".repeat(40), lfs: { oid: sha256, size: bytes.length, pointerSize: 130 } };
  }

  function file(path: string, request: Request): Response {
    const bytes = hub.files.get(path);
    if (!bytes) return Response.json({ error: "no such file" }, { status: 404 });
    const range = /^bytes=(\d+)-/.exec(request.headers.get("range") ?? "");
    const start = range && !hub.ignoresRanges ? Number(range[1]) : 0;
    hub.asked.push(`resolve ${path} from ${range ? Number(range[1]) : 0}`);
    const cut = hub.cuts.shift();
    if (cut === undefined) return new Response(bytes.slice(start), { status: start ? 206 : 200 });
    const broken = ReadableStream.from([bytes.slice(start, start + cut)]);
    return new Response(broken, { status: start ? 206 : 200 });
  }
}
