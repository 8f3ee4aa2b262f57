import { assertEquals, assertThrows } from "@std/assert";
import { CheckpointError, parseHubReference } from "../../../src/checkpoint/mod.ts";

Deno.test("hub reference: repository, path and revision", () => {
  const cases: Record<string, [string, string, string]> = {
    "hf:owner/name": ["owner/name", "", "main"],
    "hf:owner/name/": ["owner/name", "", "main"],
    "hf:owner/na.me-2/vae/x.safetensors": ["owner/na.me-2", "vae/x.safetensors", "main"],
    "hf:owner/name@v1.0": ["owner/name", "", "v1.0"],
    "hf:owner/name/vae@refs/pr/3": ["owner/name", "vae", "refs/pr/3"],
  };
  for (const [text, [repo, path, revision]] of Object.entries(cases)) {
    assertEquals(parseHubReference(text), { text, repo, path, revision });
  }
});

Deno.test("hub reference: what is none, or leads out of the repository, is refused", () => {
  const wrong = ["hf:", "hf:name", "owner/name", "hf:owner/name@", "hf:owner/name@../x", "hf:../x"];
  const outside = [
    "hf:owner/name/../../x",
    "hf:owner//name",
    "hf:o/n/./x",
    "hf:owner/..",
    "hf:a b/c",
  ];
  for (const text of [...wrong, ...outside]) {
    assertThrows(() => parseHubReference(text), CheckpointError, "expected hf:owner/name");
  }
});
