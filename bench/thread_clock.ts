const CLOCKS: Partial<Record<typeof Deno.build.os, { library: string; id: number }>> = {
  linux: { library: "libc.so.6", id: 3 }, // CLOCK_THREAD_CPUTIME_ID
  darwin: { library: "libSystem.dylib", id: 16 },
};

/**
 * Seconds of a processor that this thread took so far, to the microsecond: without what the threads of
 * a CPU adapter take, and without waits for a core that others use.
 *
 * @throws {Error} where the system has no such clock that is known here.
 */
export function threadClock(): () => number {
  const clock = CLOCKS[Deno.build.os];
  if (!clock) {
    throw new Error(`no clock of a thread is known on ${Deno.build.os}: use Linux, macOS`);
  }
  const { symbols } = Deno.dlopen(clock.library, {
    clock_gettime: { parameters: ["i32", "buffer"], result: "i32" },
  });
  const time = new BigInt64Array(2); // seconds and nanoseconds
  return () => {
    const failure = symbols.clock_gettime(clock.id, time);
    if (failure) throw new Error(`clock_gettime(${clock.id}) failed with ${failure}`);
    return Number(time[0]) + Number(time[1]) * 1e-9;
  };
}
