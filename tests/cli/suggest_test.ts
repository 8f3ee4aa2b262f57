import { assertEquals } from "@std/assert";
import { editDistance, nearest } from "../../src/cli/suggest.ts";

Deno.test("editDistance counts insertions, deletions, changes and swaps", () => {
  assertEquals(editDistance("", "abc"), 3);
  assertEquals(editDistance("kitten", "sitting"), 3);
  assertEquals(editDistance("docotr", "doctor"), 1);
  assertEquals(editDistance("same", "same"), 0);
});

Deno.test("nearest finds the word meant, and none where none is near", () => {
  const words = ["doctor", "encode", "decode", "adapt", "demo"];
  assertEquals(nearest("docter", words), "doctor");
  assertEquals(nearest("encdoe", words), "encode");
  assertEquals(nearest("ad", words), "adapt");
  assertEquals(nearest("train", words), undefined);
  assertEquals(nearest("x", words), undefined);
});
