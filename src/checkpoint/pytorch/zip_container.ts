import { type ByteSource, bytesSource } from "../byte_source.ts";
import { CheckpointError, quote } from "../errors.ts";
import type { Container } from "./container.ts";
import { TORCH_WORLD } from "./globals.ts";
import { MAX_PICKLE_BYTES } from "../limits.ts";
import { readPickle } from "./pickle.ts";
import { PickleCursor } from "./pickle_cursor.ts";
import { isStored, ZipArchive, type ZipEntry } from "./zip_archive.ts";

/** The entry of a zip archive that has the pickle, in a folder of any name. */
const PICKLE = "data.pkl";

/**
 * Opens a file as torch.save has written it since PyTorch 1.6: a zip archive of one folder with
 * `data.pkl`, the storages `data/0`, `data/1` and so on, and `byteorder` in newer ones.
 *
 * @throws {CheckpointError} where it is none, or its pickle names more than weights need.
 */
export async function openZip(source: ByteSource, file: string): Promise<Container> {
  const archive = await ZipArchive.open(source, file);
  const folder = folderOf(archive.names, file);
  await checkByteOrder(archive, folder, file);
  const cursor = await pickleOf(archive, archive.find(folder + PICKLE)!, source, file);
  const root = readPickle(cursor, TORCH_WORLD, { file, place: ` of ${PICKLE}` });
  const entryOf = (key: string): ZipEntry => {
    const name = `${folder}data/${key}`;
    const entry = archive.find(name);
    if (entry !== undefined) return entry;
    throw new CheckpointError(
      file,
      `has no entry ${quote(name)}, which its tensors are in; it is damaged, fetch it again`,
    );
  };
  return {
    root,
    check({ key, kept, width }) {
      const { name, size } = entryOf(key);
      if (kept * width <= size) return;
      throw new CheckpointError(
        file,
        `has ${size} bytes in ${quote(name)}, its tensors need ${kept * width}; ` +
          "it is damaged, fetch it again",
      );
    },
    unpacked: ({ key }, end) => isStored(entryOf(key)) ? 0 : end,
    read: (storage, start, length) => archive.read(entryOf(storage.key), start, length),
  };
}

/** The folder that holds the pickle, with a slash behind it. */
function folderOf(names: readonly string[], file: string): string {
  const folders = names.filter((name) => /^[^/]+\/data\.pkl$/.test(name));
  if (folders.length === 1) return folders[0].slice(0, -PICKLE.length);
  const why = folders.length > 1
    ? `has ${folders.length} entries ${PICKLE}, expected one; write it again`
    : `is a zip archive without ${PICKLE}, so not of torch.save; name the weight file itself`;
  throw new CheckpointError(file, why);
}

async function checkByteOrder(archive: ZipArchive, folder: string, file: string): Promise<void> {
  const entry = archive.find(`${folder}byteorder`);
  if (entry === undefined) return;
  const bytes = await archive.read(entry, 0, Math.min(entry.size, 16));
  const order = new TextDecoder().decode(bytes);
  if (order === "little") return;
  throw new CheckpointError(
    file,
    `has the byte order ${quote(order)}, expected "little"; save it again on such a machine`,
  );
}

async function pickleOf(
  archive: ZipArchive,
  entry: ZipEntry,
  source: ByteSource,
  file: string,
): Promise<PickleCursor> {
  const { size } = entry;
  if (size > MAX_PICKLE_BYTES) {
    throw new CheckpointError(
      file,
      `has a ${PICKLE} of ${size} bytes, at most ${MAX_PICKLE_BYTES} are read; ` +
        "save the state_dict alone with torch.save",
    );
  }
  if (!isStored(entry)) return new PickleCursor(bytesSource(await archive.read(entry, 0, size)));
  const begin = await archive.begin(entry);
  return new PickleCursor(source, begin, begin + size);
}
