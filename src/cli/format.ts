/** Words for bytes and durations, as the command line prints them. */

const BYTE_UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];
/** From here on a number rounds to four digits: it belongs to the next unit. */
const FOUR_DIGITS = 999.5;

/**
 * A byte count in binary units, for example "1.5 MiB".
 *
 * @throws {RangeError} If the count is negative or not finite.
 */
export function formatBytes(bytes: number): string {
  check("formatBytes", bytes);
  let value = bytes;
  let i = 0;
  while (i < BYTE_UNITS.length - 1 && value >= (i === 0 ? 1024 : FOUR_DIGITS)) {
    value /= 1024;
    i++;
  }
  return `${i === 0 ? String(value) : threeDigits(value)} ${BYTE_UNITS[i]}`;
}

/**
 * A duration: "840 ms", "12.3 s", "4 min 05 s", "3 h 07 min", "2 d 04 h".
 *
 * @param seconds The duration in seconds.
 * @throws {RangeError} If it is negative or not finite.
 */
export function formatDuration(seconds: number): string {
  check("formatDuration", seconds);
  if (seconds < 0.9995) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 59.95) return `${seconds.toFixed(1)} s`;
  const s = Math.round(seconds);
  if (s < 3600) return `${Math.floor(s / 60)} min ${pad(s % 60)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 24 * 60) return `${Math.floor(minutes / 60)} h ${pad(minutes % 60)} min`;
  const hours = Math.round(seconds / 3600);
  return `${Math.floor(hours / 24)} d ${pad(hours % 24)} h`;
}

/** A count with its thousands parted: "83,819,683". */
export function formatCount(count: number): string {
  return count.toLocaleString("en-US");
}

function threeDigits(value: number): string {
  const digits = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
  return String(Number(value.toFixed(digits)));
}

function pad(value: number): string {
  return String(value).padStart(2, "0");
}

function check(caller: string, value: number): void {
  if (!(value >= 0) || !Number.isFinite(value)) {
    throw new RangeError(`${caller}: expected a finite number of 0 or more, found ${value}`);
  }
}
