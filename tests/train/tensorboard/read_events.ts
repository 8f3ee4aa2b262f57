/** A reader of event files that shares nothing with their writer. */

/** What an event says. */
export interface ReadEvent {
  wallTime?: number;
  step?: number;
  version?: string;
  scalars?: Record<string, number>;
  /** Height, width, colour space, and bytes of the file. */
  images?: Record<string, number[]>;
}

/** The events of all files in a folder, in the order in which TensorBoard reads them. */
export async function eventsIn(folder: string): Promise<ReadEvent[]> {
  const names = await Array.fromAsync(Deno.readDir(folder), ({ name }) => name);
  const files = await Promise.all(names.sort().map((name) => Deno.readFile(`${folder}/${name}`)));
  return files.flatMap((file) => [...records(file)].map(readEvent));
}

/** The data of TFRecords. @throws where a checksum is wrong or bytes are left over. */
function* records(file: Uint8Array): Generator<Uint8Array> {
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  for (let at = 0; at < file.length;) {
    const length = view.getUint32(at, true);
    const data = file.slice(at + 12, at + 12 + length);
    const sums = [view.getUint32(at + 8, true), view.getUint32(at + 12 + length, true)];
    if (masked(file.slice(at, at + 8)) !== sums[0]) throw new Error(`length at ${at}`);
    if (masked(data) !== sums[1]) throw new Error(`data at ${at}`);
    yield data;
    at += 16 + length;
  }
}

/** Bit by bit, as the polynomial's division is written down. */
function masked(bytes: Uint8Array): number {
  let crc = 0xffffffffn;
  for (const byte of bytes) {
    for (let i = 0n; i < 8n; i++) {
      const bit = ((BigInt(byte) >> i) ^ crc) & 1n;
      crc = (crc >> 1n) ^ (bit * 0x82f63b78n);
    }
  }
  crc ^= 0xffffffffn;
  const turned = (crc >> 15n) | ((crc << 17n) & 0xffffffffn);
  return Number((turned + 0xa282ead8n) & 0xffffffffn);
}

/** A message's fields: numbers, or bytes. */
function fields(bytes: Uint8Array): [number, number | Uint8Array][] {
  const found: [number, number | Uint8Array][] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let at = 0;
  const varint = () => {
    let value = 0n;
    for (let shift = 0n;; shift += 7n) {
      const byte = bytes[at++];
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return Number(value);
    }
  };
  while (at < bytes.length) {
    const tag = varint();
    const kind = tag & 7;
    if (kind === 0) found.push([tag >> 3, varint()]);
    else if (kind === 1) found.push([tag >> 3, view.getFloat64((at += 8) - 8, true)]);
    else if (kind === 5) found.push([tag >> 3, view.getFloat32((at += 4) - 4, true)]);
    else if (kind === 2) {
      const length = varint();
      found.push([tag >> 3, bytes.slice(at, at += length)]);
    } else throw new Error(`wire type ${kind}`);
  }
  return found;
}

function readEvent(bytes: Uint8Array): ReadEvent {
  const event: ReadEvent = {};
  for (const [field, value] of fields(bytes)) {
    if (field === 1) event.wallTime = value as number;
    if (field === 2) event.step = value as number;
    if (field === 3) event.version = new TextDecoder().decode(value as Uint8Array);
    if (field === 5) { for (const [, part] of fields(value as Uint8Array)) addValue(event, part); }
  }
  return event;
}

function addValue(event: ReadEvent, bytes: number | Uint8Array): void {
  const parts = new Map(fields(bytes as Uint8Array));
  const tag = new TextDecoder().decode(parts.get(1) as Uint8Array);
  const scalar = parts.get(2);
  if (scalar !== undefined) event.scalars = { ...event.scalars, [tag]: scalar as number };
  const image = parts.get(4);
  if (image === undefined) return;
  const of = new Map(fields(image as Uint8Array));
  const png = of.get(4) as Uint8Array;
  const numbers = [1, 2, 3].map((field) => of.get(field) as number);
  event.images = { ...event.images, [tag]: [...numbers, png.length] };
}
