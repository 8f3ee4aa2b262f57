import { assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { codebookUse, useOfCounts } from "../../src/metrics/mod.ts";

Deno.test("codebookUse: share and perplexity of known frequencies", () => {
  assertEquals(codebookUse([new Uint32Array([3, 3, 3])], 4), { used: 0.25, perplexity: 1 });
  const even = codebookUse([new Uint32Array([0, 1]), new Uint32Array([2, 3])], 4);
  assertEquals(even.used, 1);
  assertAlmostEquals(even.perplexity, 4, 1e-12);
  // Frequencies 1/2, 1/4, 1/4: an entropy of 1.5 bits.
  const uneven = codebookUse([new Uint32Array([5, 5, 1, 7])], 8);
  assertEquals(uneven.used, 3 / 8);
  assertAlmostEquals(uneven.perplexity, 2 ** 1.5, 1e-12);
});

Deno.test("codebookUse: no codes use nothing; a code beyond the codebook is an error", () => {
  assertEquals(codebookUse([], 4), { used: 0, perplexity: 0 });
  assertThrows(() => codebookUse([new Uint32Array([4])], 4), RangeError, "index 4");
});

Deno.test("useOfCounts: the same from counts", () => {
  assertEquals(useOfCounts(new Uint32Array([0, 0, 0])), { used: 0, perplexity: 0 });
  const { used, perplexity } = useOfCounts([0, 2, 0, 2, 4, 0, 0, 0]);
  assertEquals(used, 3 / 8);
  assertAlmostEquals(perplexity, 2 ** 1.5, 1e-12);
});
