import { assertEquals, assertThrows } from "@std/assert";
import {
  type CodaQuantizerConfig,
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

Deno.test("a configuration of another kind survives its JSON, and one without a kind is CODA's", () => {
  const shape = { codebookSize: 512, channels: 16, beta: 0.25 };
  const others: QuantizerConfig[] = [
    { kind: "nearest", ...shape, patchSizes: [32] },
    { kind: "multiscale", ...shape, patchSizes: [1, 2], quantResi: 0.5, shareQuantResi: 0 },
  ];
  for (const config of others) {
    const json = JSON.parse(JSON.stringify(quantizerConfigToJson(config)));
    assertEquals(quantizerConfigFromJson(json, "f"), config);
  }
  assertEquals(quantizerConfigToJson({ ...CONFIG, kind: "coda" }), quantizerConfigToJson(CONFIG));
  const json = { ...quantizerConfigToJson(CONFIG), kind: "coda" };
  assertEquals(quantizerConfigFromJson(json, "f"), CONFIG);
});

Deno.test("the official names of the norms are read, and a missing width is the channels", () => {
  const json = quantizerConfigToJson(CONFIG);
  const read = (other: Record<string, unknown>) =>
    quantizerConfigFromJson({ ...json, ...other }, "f") as CodaQuantizerConfig;
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
  assertThrows(read({ patch_size_list: [1e15, 1] }), TypeError, "none larger than the last");
  assertThrows(read({ patch_size_list: Array(65).fill(1) }), TypeError, "patch_size_list is [1,");
  assertThrows(read({ attn_norm_type: "batch" }), TypeError, 'expected "none", "layer" or "rms"');
  assertThrows(read({ beta: -1 }), TypeError, "beta is -1");
  assertThrows(read({ hidden_dim: undefined }), TypeError, "hidden_dim is missing");
  assertThrows(read({ kind: "lfq" }), TypeError, 'kind is "lfq", expected one of coda, nearest');
  assertThrows(read({ kind: null }), TypeError, "kind is null");
  assertThrows(read({ kind: "nearest" }), TypeError, "expected one whole number");
  assertThrows(read({ kind: "multiscale" }), TypeError, "quant_resi is missing");
  const phi = { kind: "multiscale", quant_resi: 2, share_quant_resi: 4 };
  assertThrows(read(phi), TypeError, "quant_resi is 2, expected a number from 0 to 1");
  const shared = { ...phi, quant_resi: 0.5, share_quant_resi: 1e12 };
  assertThrows(read(shared), TypeError, "expected a whole number from 0 to 64");
});
