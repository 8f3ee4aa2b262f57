import type { Gpu } from "../../src/gpu/mod.ts";
import { median } from "../median.ts";
import type { Prepared } from "./row.ts";

/** What one call takes, in seconds. */
export interface Times {
  /** By the wall clock: many calls, one wait for the GPU. */
  wall: number;
  /** On the GPU: all its dispatches by their timestamps; null where the adapter has none. */
  gpu: number | null;
  /** How many calls there were for one wait, and how many such rounds; the median round counts. */
  calls: number;
  rounds: number;
}

/** Seconds that a round and all rounds of it should take. */
export interface Budget {
  round: number;
  all: number;
}

const MOST_CALLS = 512;
const MOST_ROUNDS = 7;

/**
 * Times work that was made ready. The first call, which compiles, is not counted; the second tells how
 * many there is time for, and where that is a single one it is it.
 */
export async function timed(
  gpu: Gpu,
  { call }: Prepared,
  budget: Budget,
): Promise<Times> {
  const round = async (calls: number) => {
    const start = performance.now();
    await repeat(gpu, call, calls);
    await gpu.sync();
    return (performance.now() - start) / 1000 / calls;
  };
  await round(1);
  const once = await round(1);
  const { calls, rounds } = plan(once, budget);
  const wall = calls * rounds === 1 ? once : await medianOf(rounds, () => round(calls));
  if (!gpu.adapter.features.includes("timestamp-query")) return { wall, gpu: null, calls, rounds };
  const measured = await medianOf(rounds, async () => {
    const rows = await gpu.profile(() => repeat(gpu, call, calls));
    return rows.reduce((sum, { seconds }) => sum + seconds, 0) / calls;
  });
  return { wall, gpu: measured, calls, rounds };
}

/** Calls per round and rounds for work of so many seconds. */
export function plan(seconds: number, budget: Budget): { calls: number; rounds: number } {
  const calls = Math.min(MOST_CALLS, Math.max(1, Math.round(budget.round / seconds)));
  const rounds = Math.floor(budget.all / (calls * seconds));
  return { calls, rounds: Math.min(MOST_ROUNDS, Math.max(1, rounds)) };
}

/** The middle one of `count` measurements. */
async function medianOf(count: number, measure: () => Promise<number>): Promise<number> {
  const found: number[] = [];
  for (let i = 0; i < count; i++) found.push(await measure());
  return median(found);
}

async function repeat(gpu: Gpu, call: Prepared["call"], calls: number): Promise<void> {
  for (let i = 0; i < calls; i++) {
    const pending = inScope(gpu, call);
    if (pending) await pending;
  }
}

/** A scope must not span an await: what waits has scopes of its own. */
function inScope(gpu: Gpu, call: Prepared["call"]): void | Promise<void> {
  using _scope = gpu.scope();
  return call();
}
