/**
 * What a file may ask for. Each is far beyond what a checkpoint of images' autoencoders needs (a thousand
 * tensors, two hundred kilobytes to describe them), and what a file at the limit costs is bearable.
 */

/** The most tensors of a file. */
export const MAX_TENSORS = 65_536;

/** The most characters of a tensor's name. */
export const MAX_NAME = 1024;

/** The most dimensions of a tensor. */
export const MAX_RANK = 64;

/** The most bytes of a safetensors file's header. */
export const MAX_HEADER_BYTES = 16 * 2 ** 20;

/** The most bytes of a config.json, or of an index of shards. */
export const MAX_CONFIG_BYTES = 16 * 2 ** 20;

/** The deepest nesting of JSON. */
export const MAX_JSON_DEPTH = 32;

/** The most bytes of one pickle. */
export const MAX_PICKLE_BYTES = 32 * 2 ** 20;

/** The most operations of one pickle; each makes one value at most. */
export const MAX_PICKLE_OPERATIONS = 1_000_000;

/** The most values in the lists that functions are called with; one that is given again counts again. */
export const MAX_CALL_VALUES = 1_000_000;

/** The most bytes of a whole number, a module's or a global's name. */
export const MAX_SHORT = 255;

/** The most values that are looked at for tensors; what is shared counts at every place. */
export const MAX_VALUES = 1_000_000;

/** The deepest nesting of dictionaries and lists. */
export const MAX_DEPTH = 64;

/** The most bytes of a zip archive's directory. */
export const MAX_DIRECTORY_BYTES = 16 * 2 ** 20;

/** The most entries of a zip archive. */
export const MAX_ENTRIES = 65_536;

/** The most bytes that deflate makes of one: 258 bytes of two bits, and a little. */
export const MAX_DEFLATE_RATIO = 1032;

/** The most bytes that a PyTorch file's tensors may take for each of the file: they share, repeat, unpack. */
export const MAX_GROWTH = 16;

/** What they may take of a file however small. */
export const MAX_GROWN_BYTES = 256 * 2 ** 20;
