import type { ByteSource } from "../byte_source.ts";
import { CheckpointError, quote } from "../errors.ts";
import type { Container } from "./container.ts";
import { TORCH_WORLD } from "./globals.ts";
import { PLAIN_WORLD, readPickle } from "./pickle.ts";
import { PickleCursor } from "./pickle_cursor.ts";
import type { Storage } from "./tensor_view.ts";
import { kindOf, PickleDict, PickleFault, PickleList, type PickleValue } from "./values.ts";

/** What a file of the old form begins with, as a number in a pickle. */
const MAGIC = 0x1950a86a20f9469cfc6cn;

/** The version of the old form that there is. */
const VERSION = 1001;

/** The bytes before a storage's numbers that say how many there are. */
const COUNT_BYTES = 8;

/**
 * Opens a file as torch.save wrote it before PyTorch 1.6: five pickles (a magic number, a version, the
 * machine, what was saved, the storages' keys), then the storages, each behind its number of elements.
 * Only the pickles and the numbers of elements are read.
 *
 * @throws {CheckpointError} where it is none, or its pickles name more than weights need.
 */
export function openLegacy(source: ByteSource, file: string): Container {
  const cursor = new PickleCursor(source);
  const place = { file, place: "" };
  checkHead(() => readPickle(cursor, PLAIN_WORLD, place), file);
  const storages = new Map<string, Storage>();
  const root = readPickle(cursor, { ...TORCH_WORLD, persistent }, place);
  const keys = readPickle(cursor, PLAIN_WORLD, place);
  const begins = placesOf(source, cursor.position, keysOf(keys, file), storages, file);

  function persistent(id: PickleValue): PickleValue {
    const storage = TORCH_WORLD.persistent(id) as Storage;
    const other = storages.get(storage.key);
    if (other && (other.width !== storage.width || other.kept !== storage.kept)) {
      throw new PickleFault(`tells two things of the storage ${quote(storage.key)}; it is damaged`);
    }
    storages.set(storage.key, storage);
    return storage;
  }

  return {
    root,
    check({ key }) {
      if (begins.has(key)) return;
      throw new CheckpointError(
        file,
        `has no storage ${quote(key)}, which its tensors are in; it is damaged, fetch it again`,
      );
    },
    unpacked: () => 0,
    // deno-lint-ignore require-await -- as a container of entries that are unpacked has it
    read: async ({ key }, start, length) => source.read(begins.get(key)! + start, length),
  };
}

/** Checks the magic number, the version and the order of bytes. */
function checkHead(next: () => PickleValue, file: string): void {
  if (next() !== MAGIC) {
    throw new CheckpointError(
      file,
      "is a pickle, but not of torch.save; save a state_dict with torch.save",
    );
  }
  const version = next();
  if (version !== VERSION) {
    const found = typeof version === "number" ? String(version) : kindOf(version);
    throw new CheckpointError(file, `is of version ${found}, expected ${VERSION}`);
  }
  const machine = next();
  const isLittle = machine instanceof PickleDict && machine.entries.get("little_endian") === true;
  if (isLittle) return;
  throw new CheckpointError(
    file,
    "is of a machine whose numbers have the highest byte first; save it again on another",
  );
}

function keysOf(value: PickleValue, file: string): string[] {
  const items = value instanceof PickleList ? value.items : [];
  if (value instanceof PickleList && items.every((item) => typeof item === "string")) {
    return items as string[];
  }
  throw new CheckpointError(file, "has no list of its storages; it is damaged, fetch it again");
}

/** Where each storage's numbers begin. */
function placesOf(
  source: ByteSource,
  begin: number,
  keys: readonly string[],
  storages: ReadonlyMap<string, Storage>,
  file: string,
): Map<string, number> {
  const places = new Map<string, number>();
  let at = begin;
  for (const key of keys) {
    const { kept, width } = known(key, storages, places, file);
    const end = at + COUNT_BYTES + kept * width;
    if (end > source.size) {
      throw new CheckpointError(
        file,
        `ends at byte ${source.size}, its storage ${quote(key)} at ${end}; ` +
          "it is cut short, fetch it again",
      );
    }
    const count = new DataView(source.read(at, COUNT_BYTES).buffer).getBigUint64(0, true);
    if (count !== BigInt(kept)) {
      throw new CheckpointError(
        file,
        `says at byte ${at} that the storage ${quote(key)} has ${count} elements, ` +
          `and before that it has ${kept}; it is damaged, fetch it again`,
      );
    }
    places.set(key, at + COUNT_BYTES);
    at = end;
  }
  return places;
}

function known(
  key: string,
  storages: ReadonlyMap<string, Storage>,
  places: ReadonlyMap<string, number>,
  file: string,
): Storage {
  const storage = storages.get(key);
  if (storage !== undefined && !places.has(key)) return storage;
  const why = storage === undefined ? "that nothing refers to" : "twice";
  throw new CheckpointError(
    file,
    `lists the storage ${quote(key)} ${why}; it is damaged, fetch it again`,
  );
}
