/**
 * What a file may ask for. Each is far beyond what a checkpoint of images' autoencoders needs (a thousand
 * tensors, two hundred kilobytes of pickle), and what a file at the limit costs is bearable.
 */

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

/** The most characters of all tensors' names together. */
export const MAX_NAME_CHARACTERS = 32 * 2 ** 20;

/** The most dimensions of a tensor. */
export const MAX_RANK = 64;

/** The most elements that a tensor may make of a smaller storage by repeating what is in it. */
export const MAX_EXPANDED_ELEMENTS = 2 ** 24;

/** The most bytes of a zip archive's directory. */
export const MAX_DIRECTORY_BYTES = 16 * 2 ** 20;

/** The most entries of a zip archive. */
export const MAX_ENTRIES = 65_536;

/** The most bytes that deflate makes of one: 258 bytes of two bits, and a little. */
export const MAX_DEFLATE_RATIO = 1032;
