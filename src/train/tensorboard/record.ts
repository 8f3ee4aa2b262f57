import { maskedCrc32c } from "./crc32c.ts";

/** Bytes before a record's data: its length, u64, and the CRC of that, u32. */
const HEADER = 12;
/** Bytes after it: the CRC of the data. */
const FOOTER = 4;

/** Data as a record of a TFRecord file; all numbers are little-endian. */
export function encodeRecord(data: Uint8Array): Uint8Array {
  const record = new Uint8Array(HEADER + data.length + FOOTER);
  const view = new DataView(record.buffer);
  view.setBigUint64(0, BigInt(data.length), true);
  view.setUint32(8, maskedCrc32c(record.subarray(0, 8)), true);
  record.set(data, HEADER);
  view.setUint32(HEADER + data.length, maskedCrc32c(data), true);
  return record;
}

/** The data of the records in a file, up to its end or to one that was cut short or is damaged. */
export function* decodeRecords(file: Uint8Array): Generator<Uint8Array> {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  let at = 0;
  while (at + HEADER + FOOTER <= file.length) {
    const length = Number(view.getBigUint64(at, true));
    const isSound = view.getUint32(at + 8, true) === maskedCrc32c(file.subarray(at, at + 8));
    if (!isSound || at + HEADER + length + FOOTER > file.length) return;
    const data = file.subarray(at + HEADER, at + HEADER + length);
    if (view.getUint32(at + HEADER + length, true) !== maskedCrc32c(data)) return;
    yield data;
    at += HEADER + length + FOOTER;
  }
}
