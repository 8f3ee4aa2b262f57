import type { Parameters } from "../nn/mod.ts";

/** Parameters, and the values that stand in for theirs: a set of the same shapes, or zeros. */
export interface StandIn {
  /** What is to have other values. */
  readonly parameters: Parameters;
  /** The other values; zeros where there are none. */
  readonly values?: Parameters;
}

/**
 * Does work while parameters have other values, and gives them back their own, to the bit. That takes
 * the memory of their own values meanwhile.
 */
export async function standingIn<T>(
  standIns: readonly StandIn[],
  work: () => Promise<T>,
): Promise<T> {
  const kept = standIns.flatMap(swapIn);
  try {
    return await work();
  } finally {
    for (const giveBack of kept) giveBack();
  }
}

/** What gives each page back its own values. */
function swapIn({ parameters, values }: StandIn): (() => void)[] {
  const { gpu } = parameters;
  const others = values?.pages();
  return parameters.pages().map(({ storage }, i) => {
    const own = gpu.allocate(storage.byteLength);
    gpu.copy(storage, own);
    if (others) gpu.copy(others[i].storage, storage);
    else gpu.clear(storage);
    return () => {
      gpu.copy(own, storage);
      own.release();
    };
  });
}
