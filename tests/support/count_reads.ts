/**
 * How many bytes are read of files while `work` runs. Memory that a reader takes for a file's bytes is
 * at most that, where it unpacks nothing.
 */
export async function bytesRead(work: () => Promise<unknown>): Promise<number> {
  const proto = Deno.FsFile.prototype;
  const { readSync, read } = proto;
  let count = 0;
  proto.readSync = function (bytes) {
    const n = readSync.call(this, bytes);
    count += n ?? 0;
    return n;
  };
  proto.read = async function (bytes) {
    const n = await read.call(this, bytes);
    count += n ?? 0;
    return n;
  };
  try {
    await work();
  } finally {
    Object.assign(proto, { readSync, read });
  }
  return count;
}
