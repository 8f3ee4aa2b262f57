import { assertEquals, assertThrows } from "@std/assert";
import { formatBytes, formatDuration } from "../../src/cli/format.ts";

Deno.test("formatBytes: binary units with three digits", () => {
  assertEquals(formatBytes(0), "0 B");
  assertEquals(formatBytes(999), "999 B");
  assertEquals(formatBytes(1023), "1023 B");
  assertEquals(formatBytes(1024), "1 KiB");
  assertEquals(formatBytes(1536), "1.5 KiB");
  assertEquals(formatBytes(128 * 2 ** 20), "128 MiB");
  assertEquals(formatBytes(1000 * 2 ** 20), "0.98 GiB");
  assertEquals(formatBytes(2 ** 31 - 1), "2 GiB");
  assertEquals(formatBytes(2 ** 60), "1048576 TiB");
});

Deno.test("formatDuration: the two largest units", () => {
  assertEquals(formatDuration(0), "0 ms");
  assertEquals(formatDuration(0.84), "840 ms");
  assertEquals(formatDuration(0.9996), "1.0 s");
  assertEquals(formatDuration(59.94), "59.9 s");
  assertEquals(formatDuration(59.96), "1 min 00 s");
  assertEquals(formatDuration(245), "4 min 05 s");
  assertEquals(formatDuration(3599.6), "1 h 00 min");
  assertEquals(formatDuration(11_220), "3 h 07 min");
  assertEquals(formatDuration(86_399), "1 d 00 h");
  assertEquals(formatDuration(2 * 86_400 + 4 * 3600), "2 d 04 h");
});

Deno.test("formatting refuses what is no amount", () => {
  assertThrows(() => formatBytes(-1), RangeError, "formatBytes");
  assertThrows(() => formatBytes(Infinity), RangeError, "formatBytes");
  assertThrows(() => formatDuration(NaN), RangeError, "formatDuration");
});
