import { assertEquals } from "@std/assert";
import { onnxModel } from "../../bench/rivals/onnx.ts";

Deno.test("onnxModel: the bytes of a graph of one node, by the specification", () => {
  const model = onnxModel({
    nodes: [{ op: "Softmax", inputs: ["x"], output: "y" }],
    inputs: { x: [300] },
    weights: {},
    outputs: { y: [300] },
  });
  const value = (name: string) => `0a01${name}120b0a09080112050a0308ac02`;
  const node = "0a0f" + "0a0178" + "120179" + "2207536f66746d6178";
  const graph = node + "12056772617068" + "5a10" + value("78") + "6210" + value("79");
  const length = (graph.length / 2).toString(16);
  assertEquals(model.toHex(), `0808` + `3a${length}${graph}` + "42021011");
});

Deno.test("onnxModel: attributes and weights", () => {
  const { nodes, inputs, outputs } = {
    nodes: [{ op: "A", inputs: [], output: "y", attributes: { axis: 1, pads: [0, 128] } }],
    inputs: {},
    outputs: {},
  };
  const weights = { w: { shape: [1, 2], values: Float32Array.of(1, -2) } };
  const hex = onnxModel({ nodes, inputs, weights, outputs }).toHex();
  const axis = "2a0b" + "0a0461786973" + "1801" + "a00102";
  const pads = "2a0e" + "0a0470616473" + "4000" + "408001" + "a00107";
  const weight = "2a13" + "0801" + "0802" + "1001" + "420177" + "4a08" + "0000803f" + "000000c0";
  assertEquals([axis, pads, weight].filter((part) => !hex.includes(part)), []);
});

Deno.test("onnxModel: floats, whole numbers and operators of another domain", () => {
  const node = { op: "A", domain: "d", inputs: [], output: "y", floats: { eps: 0.5 } };
  const rest = { inputs: {}, weights: {}, outputs: {} };
  const hex = onnxModel({ nodes: [node], integers: { s: [1, -1] }, ...rest }).toHex();
  const eps = "2a0d" + "0a03657073" + "150000003f" + "a00101";
  const domain = "3a0164";
  const whole = "2a19" + "0802" + "1007" + "420173" + "4a10" + "0100000000000000" + "f".repeat(16);
  const sets = "42021011" + "42050a01641001";
  assertEquals([eps, domain, whole, sets].filter((part) => !hex.includes(part)), []);
});
