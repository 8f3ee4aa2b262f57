import { deflateRawSync } from "node:zlib";

/** A file of a hand-made archive, with what it says of itself where that is not true. */
export interface ZipPlan {
  name: string;
  /** What stands before its data as its name. */
  localName?: string;
  data: Uint8Array;
  deflate?: boolean;
  /** What it says of its method. */
  method?: number;
  /** What it says of its size unpacked. */
  size?: number | bigint;
  /** What it says of its size in the archive. */
  packed?: number | bigint;
  /** Where it says that it is. */
  offset?: number | bigint;
  flags?: number;
  /** Zeros behind its data, which count everywhere but are left out. */
  hole?: number;
}

/** What an archive says of itself where that is not true. */
export interface ArchivePlan {
  /** Whether sizes and places are those of zip64. */
  zip64?: boolean;
  entries?: number;
  directorySize?: number | bigint;
  directoryOffset?: number | bigint;
  /** How many bytes of nothing come before the directory. */
  gap?: number;
}

class Writer {
  readonly bytes: number[] = [];

  add(length: number, value: number | bigint): this {
    const bits = BigInt.asUintN(8 * length, BigInt(value));
    for (let i = 0; i < length; i++) this.bytes.push(Number((bits >> BigInt(8 * i)) & 255n));
    return this;
  }

  raw(bytes: ArrayLike<number>): this {
    for (let i = 0; i < bytes.length; i++) this.bytes.push(bytes[i]);
    return this;
  }
}

/** Writes a zip archive by hand, also one that no other writer would write. */
export function zip(files: readonly ZipPlan[], plan: ArchivePlan = {}): Uint8Array<ArrayBuffer> {
  const out = new Writer();
  const directory = new Writer();
  let left = 0;
  for (const file of files) {
    const offset = out.bytes.length + left;
    const hole = file.hole ?? 0;
    left += hole;
    const data = file.deflate ? deflateRawSync(file.data) : file.data;
    const says = {
      method: file.method ?? (file.deflate ? 8 : 0),
      packed: file.packed ?? data.length + hole,
      size: file.size ?? file.data.length + hole,
      offset: file.offset ?? offset,
      flags: file.flags ?? 0,
    };
    const [name, local] = [file.name, file.localName ?? file.name].map((text) =>
      new TextEncoder().encode(text)
    );
    const isWide = plan.zip64 ?? false;
    const narrow = (value: number | bigint) => isWide ? 0xffffffff : value;
    out.add(4, 0x04034b50).add(2, 20).add(2, says.flags).add(2, says.method).add(4, 0).add(4, 0)
      .add(4, narrow(says.packed)).add(4, narrow(says.size)).add(2, local.length)
      .add(2, isWide ? 20 : 0).raw(local);
    if (isWide) out.add(2, 1).add(2, 16).add(8, says.size).add(8, says.packed);
    out.raw(data);
    directory.add(4, 0x02014b50).add(2, 20).add(2, 20).add(2, says.flags).add(2, says.method)
      .add(4, 0).add(4, 0).add(4, narrow(says.packed)).add(4, narrow(says.size))
      .add(2, name.length).add(2, isWide ? 28 : 0).add(2, 0).add(2, 0).add(2, 0).add(4, 0)
      .add(4, narrow(says.offset)).raw(name);
    if (isWide) {
      directory.add(2, 1).add(2, 24).add(8, says.size).add(8, says.packed).add(8, says.offset);
    }
  }
  out.raw(new Uint8Array(plan.gap ?? 0));
  const begin = out.bytes.length + left;
  out.raw(directory.bytes);
  const says = {
    count: plan.entries ?? files.length,
    size: plan.directorySize ?? directory.bytes.length,
    offset: plan.directoryOffset ?? begin,
  };
  const at = out.bytes.length + left;
  return new Uint8Array(end(out, at, says, plan.zip64 ?? false).bytes);
}

function end(
  out: Writer,
  at: number,
  { count, size, offset }: { count: number; size: number | bigint; offset: number | bigint },
  isWide: boolean,
): Writer {
  if (isWide) {
    out.add(4, 0x06064b50).add(8, 44).add(2, 45).add(2, 45).add(4, 0).add(4, 0).add(8, count)
      .add(8, count).add(8, size).add(8, offset);
    out.add(4, 0x07064b50).add(4, 0).add(8, at).add(4, 1);
  }
  const narrow = (length: number, value: number | bigint) => isWide ? 2 ** (8 * length) - 1 : value;
  return out.add(4, 0x06054b50).add(2, 0).add(2, 0).add(2, narrow(2, count))
    .add(2, narrow(2, count)).add(4, narrow(4, size)).add(4, narrow(4, offset)).add(2, 0);
}
