/** A number that an axis names, and where it lies from 0 to 1. */
export interface Tick {
  /** The number. */
  readonly value: number;
  /** Where it lies. */
  readonly place: number;
}

/** An axis: places from 0 to 1 for numbers. */
export interface Axis {
  /** The numbers that it names. */
  readonly ticks: readonly Tick[];
  /** Where a number lies. */
  place(value: number): number;
}

/** An axis from a round number below the least to one above the greatest, with a little room. */
export function linearAxis(values: readonly number[], { count = 5, room = 0 } = {}): Axis {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const range = most - least || Math.abs(most) || 1;
  const [low, high] = [least - room * range, most + room * range];
  const step = roundStep(range * (1 + 2 * room) / count);
  const [first, last] = [Math.floor(low / step + 1e-9), Math.ceil(high / step - 1e-9)];
  const end = Math.max(last, first + 1);
  const place = (value: number) => (value / step - first) / (end - first);
  const ticks = Array.from({ length: end - first + 1 }, (_, i) => {
    const value = Number(((first + i) * step).toPrecision(12));
    return { value, place: i / (end - first) };
  });
  return { ticks, place };
}

/** An axis from 0 to a number, round or not. */
export function axisTo(end: number, count = 4): Axis {
  const step = Math.max(1, roundStep(end / count));
  const place = (value: number) => value / end;
  const ticks = Array.from({ length: Math.floor(end / step) + 1 }, (_, i) => i * step);
  return { ticks: ticks.map((value) => ({ value, place: place(value) })), place };
}

/** A logarithmic axis of positive numbers, whose ends are those of the numbers, with a little room. */
export function logAxis(values: readonly number[], room = 0.05): Axis {
  const [low, high] = [Math.min(...values), Math.max(...values)].map(Math.log10);
  const margin = (high - low || 1) * room;
  const [start, end] = [low - margin, high + margin];
  const place = (value: number) => (Math.log10(value) - start) / (end - start);
  const factors = end - start > 2.5 ? [1] : [1, 2, 5];
  const tick = (value: number) => ({ value, place: place(value) });
  const ticks: Tick[] = [];
  for (let decade = Math.floor(start); decade <= end; decade++) {
    for (const factor of factors) {
      const value = Number(`${factor}e${decade}`);
      if (place(value) >= 0 && place(value) <= 1) ticks.push(tick(value));
    }
  }
  if (ticks.length > 1) return { ticks, place };
  return { ticks: stepsBetween(10 ** start, 10 ** end).map(tick), place };
}

/** Multiples of a round number between two numbers, at least two. */
function stepsBetween(low: number, high: number): number[] {
  const step = roundStep((high - low) / 4); // at most half of the way
  const [first, last] = [Math.ceil(low / step - 1e-9), Math.floor(high / step + 1e-9)];
  return Array.from(
    { length: last - first + 1 },
    (_, i) => Number(((first + i) * step).toPrecision(12)),
  );
}

/** The least of 1, 2, 2.5 and 5 times a power of ten that is not below a number. */
function roundStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least));
  return power * ([1, 2, 2.5, 5, 10].find((factor) => factor * power >= least * 0.999) ?? 10);
}
