// deno-lint-ignore no-import-prefix -- the linked package has this one dependency
import * as npm from "npm:deno-std@1.4.0/path/mod.js";

/** The parts of a path. */
export interface ParsedPath {
  /** The root, "/" of an absolute path. */
  root: string;
  /** The folder. */
  dir: string;
  /** The last part, with its extension. */
  base: string;
  /** The extension with its dot. */
  ext: string;
  /** The last part without its extension. */
  name: string;
}

/** What separates a path's parts on this system. */
export const SEPARATOR: "/" | "\\" = npm.SEPARATOR;
/** The last part of a path, without `suffix` where it ends so. */
export const basename: (path: string, suffix?: string) => string = npm.basename;
/** The folder of a path. */
export const dirname: (path: string) => string = npm.dirname;
/** The extension of a path, with its dot. */
export const extname: (path: string) => string = npm.extname;
/** The path of a file: URL. */
export const fromFileUrl: (url: string | URL) => string = npm.fromFileUrl;
/** Whether a path starts at the root. */
export const isAbsolute: (path: string) => boolean = npm.isAbsolute;
/** Joins parts and normalises. */
export const join: (path: string, ...paths: string[]) => string = npm.join;
/** Resolves `.` and `..` and doubled separators. */
export const normalize: (path: string) => string = npm.normalize;
/** Takes a path apart. */
export const parse: (path: string) => ParsedPath = npm.parse;
/** How to get from one path to another. */
export const relative: (from: string, to: string) => string = npm.relative;
/** The absolute path of parts taken from the working directory. */
export const resolve: (...pathSegments: string[]) => string = npm.resolve;
/** The file: URL of an absolute path. */
export const toFileUrl: (path: string) => URL = npm.toFileUrl;
