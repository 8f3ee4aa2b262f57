import type { ByteSource } from "../byte_source.ts";
import { MAX_PICKLE_BYTES } from "../limits.ts";
import { PickleFault } from "./values.ts";

/** How much is read at a time. */
const WINDOW = 65_536;

/** Reads a stretch of a file from its beginning on, a window at a time. */
export class PickleCursor {
  /** The next byte, counted from the beginning of the stretch. */
  position = 0;
  /** The length of the stretch. */
  readonly size: number;
  readonly #source: ByteSource;
  readonly #begin: number;
  #window: Uint8Array<ArrayBuffer> = new Uint8Array();
  #view = new DataView(new ArrayBuffer(0));
  #windowAt = 0;

  /** Reads `source` from `begin` to `end`. */
  constructor(source: ByteSource, begin = 0, end: number = source.size) {
    this.#source = source;
    this.#begin = begin;
    this.size = end - begin;
  }

  /** One byte. */
  u8(): number {
    const at = this.#advance(1);
    return this.#window[at];
  }

  /** Two bytes as an unsigned number. */
  u16(): number {
    const at = this.#advance(2);
    return this.#view.getUint16(at, true);
  }

  /** Four bytes as a signed number. */
  i32(): number {
    const at = this.#advance(4);
    return this.#view.getInt32(at, true);
  }

  /** Four bytes as an unsigned number. */
  u32(): number {
    const at = this.#advance(4);
    return this.#view.getUint32(at, true);
  }

  /** Eight bytes as an unsigned number. */
  u64(): bigint {
    const at = this.#advance(8);
    return this.#view.getBigUint64(at, true);
  }

  /** Eight bytes, the highest first, as a number with a fraction. */
  f64(): number {
    const at = this.#advance(8);
    return this.#view.getFloat64(at, false);
  }

  /** The next `length` bytes, in memory of their own. */
  bytes(length: number | bigint): Uint8Array<ArrayBuffer> {
    const count = this.#checked(length);
    if (count <= WINDOW) {
      const at = this.#advance(count);
      return this.#window.slice(at, at + count);
    }
    const bytes = this.#source.read(this.#begin + this.position, count);
    this.position += count;
    return bytes;
  }

  /** The text up to the next line feed, which is passed over, of at most `limit` bytes. */
  line(limit: number): string {
    const bytes: number[] = [];
    for (let byte = this.u8(); byte !== 0x0a; byte = this.u8()) {
      if (bytes.push(byte) > limit) throw new PickleFault(`has a name of over ${limit} bytes`);
    }
    return new TextDecoder().decode(new Uint8Array(bytes));
  }

  /** The place in the window of the next `length` bytes, which are passed over. */
  #advance(length: number): number {
    this.#checked(length);
    const at = this.position - this.#windowAt;
    this.position += length;
    if (at >= 0 && at + length <= this.#window.length) return at;
    this.#windowAt = this.position - length;
    const count = Math.min(WINDOW, this.size - this.#windowAt);
    this.#window = this.#source.read(this.#begin + this.#windowAt, count);
    this.#view = new DataView(this.#window.buffer);
    return 0;
  }

  #checked(length: number | bigint): number {
    const left = this.size - this.position;
    if (length <= Math.min(left, MAX_PICKLE_BYTES)) return Number(length);
    if (length <= left) {
      throw new PickleFault(`has a value of ${length} bytes, at most ${MAX_PICKLE_BYTES} are read`);
    }
    throw new PickleFault(`wants ${length} bytes more, but ${left} are left: it is cut short`);
  }
}
