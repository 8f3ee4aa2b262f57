import { assertEquals, assertThrows } from "@std/assert";
import { TokenFileError, tokensFromJson, tokensToJson } from "../../src/tokens/mod.ts";
import { MODEL_ID, sample } from "./sample.ts";

Deno.test("tokensToJson is plain data with these fields", () => {
  const tokens = {
    width: 9,
    height: 8,
    decoded: { width: 16, height: 8 },
    codebookSize: 4,
    modelId: MODEL_ID,
    grids: [{ height: 1, width: 2 }],
    indices: [new Uint32Array([3, 0])],
  };
  assertEquals(
    JSON.stringify(tokensToJson(tokens)),
    '{"format":"coda-tokens","version":1,"width":9,"height":8,' +
      '"decoded":{"width":16,"height":8},"codebookSize":4,' +
      `"modelId":"${MODEL_ID}","grids":[[1,2]],"indices":[[3,0]]}`,
  );
  assertEquals(tokensFromJson(JSON.parse(JSON.stringify(tokensToJson(tokens)))), tokens);
});

Deno.test("tokens come back from JSON as they went", () => {
  const text = JSON.stringify(tokensToJson(sample(65536)));
  assertEquals(tokensFromJson(JSON.parse(text)), sample(65536));
  const half = { ...sample(9), half: true };
  assertEquals(tokensToJson(half).half, true);
  assertEquals(tokensFromJson(tokensToJson(half)), half);
});

Deno.test("tokensFromJson names what is wrong", () => {
  const json = tokensToJson(sample(16));
  const refuse = (value: unknown, message: string) =>
    assertThrows(() => tokensFromJson(value, { file: "a.json" }), TokenFileError, message);
  for (const value of [null, 7, "x", [], {}, { ...json, format: "x" }, { ...json, version: 2 }]) {
    refuse(value, 'a.json: is not tokens; expected "format"');
  }
  refuse({ ...json, width: "9" }, 'a.json: has no valid "width"');
  refuse({ ...json, height: undefined }, '"height"');
  refuse({ ...json, decoded: 3 }, '"decoded"');
  refuse({ ...json, decoded: {} }, "decoded image");
  refuse({ ...json, modelId: "xyz" }, '"modelId"');
  refuse({ ...json, half: 1 }, '"half"');
  refuse({ ...json, grids: [[1]] }, '"grids"');
  refuse({ ...json, grids: [1] }, '"grids"');
  refuse({ ...json, indices: [[-1]] }, '"indices"');
  refuse({ ...json, indices: [[0.5]] }, '"indices"');
  refuse({ ...json, indices: json.indices.slice(1) }, "2 scales of indices for 3 grids");
  refuse({ ...json, codebookSize: 15 }, "index 15");
  refuse({ ...json, codebookSize: NaN }, "NaN codes");
});
