import { assertEquals, assertThrows } from "@std/assert";
import {
  type QuantizerConfig,
  quantizerConfigFromJson,
  quantizerConfigToJson,
} from "../../src/quantizer/mod.ts";

const CONFIG: QuantizerConfig = {
  codebookSize: 1024,
  channels: 16,
  attentionDim: 32,
  patchSizes: [1, 2, 4],
  norm: "rms",
  beta: 0.05,
};

Deno.test("a configuration survives its JSON", () => {
  for (const norm of ["rms", "layer", "none"] as const) {
    const json = JSON.parse(JSON.stringify(quantizerConfigToJson({ ...CONFIG, norm })));
    assertEquals(quantizerConfigFromJson(json, "config.json"), { ...CONFIG, norm });
  }
});

Deno.test("the official names of the norms are read, and a missing width is the channels", () => {
  const json = quantizerConfigToJson(CONFIG);
  const read = (other: Record<string, unknown>) =>
    quantizerConfigFromJson({ ...json, ...other }, "f");
  assertEquals(read({ attn_norm_type: "rms_norm" }).norm, "rms");
  assertEquals(read({ attn_norm_type: "layer_norm" }).norm, "layer");
  const bare = read({ attn_norm_type: null, attn_dim: null });
  assertEquals([bare.norm, bare.attentionDim], ["none", 16]);
});

Deno.test("a wrong field is named with its file and what was expected", () => {
  const json = quantizerConfigToJson(CONFIG);
  const read = (other: Record<string, unknown>) => () =>
    quantizerConfigFromJson({ ...json, ...other }, "my/config.json");
  assertThrows(
    read({ codebook_size: "1024" }),
    TypeError,
    'my/config.json: quantizer.codebook_size is "1024"',
  );
  assertThrows(read({ patch_size_list: [] }), TypeError, "patch_size_list is []");
  assertThrows(read({ attn_norm_type: "batch" }), TypeError, 'expected "none", "layer" or "rms"');
  assertThrows(read({ beta: -1 }), TypeError, "beta is -1");
  assertThrows(read({ hidden_dim: undefined }), TypeError, "hidden_dim is missing");
});
