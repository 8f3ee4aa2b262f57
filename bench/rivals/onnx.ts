/**
 * ONNX models of one operation, written as protocol buffers
 * (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto has the fields' numbers).
 *
 * @module
 */
import type { Operand } from "./work.ts";

/** A node of a graph; what it reads and writes by name. */
export interface OnnxNode {
  op: string;
  inputs: readonly string[];
  output: string;
  /** Attributes that are whole numbers or lists of them. */
  attributes?: Readonly<Record<string, number | readonly number[]>>;
  /** Attributes that are floats. */
  floats?: Readonly<Record<string, number>>;
  /** The set of operators that it is of; that of ONNX by default. */
  domain?: string;
}

/** A graph of float32 tensors. */
export interface OnnxGraph {
  nodes: readonly OnnxNode[];
  /** Shapes of what is given for each run. */
  inputs: Readonly<Record<string, readonly number[]>>;
  /** What is part of the model. */
  weights: Readonly<Record<string, Operand>>;
  /** Whole numbers that are part of the model. */
  integers?: Readonly<Record<string, readonly number[]>>;
  /** The shape of the one result. */
  outputs: Readonly<Record<string, readonly number[]>>;
}

const OPSET = 17;
const IR_VERSION = 8;
const FLOAT = 1;
const INT64 = 7;
const ATTRIBUTE_FLOAT = 1;
const ATTRIBUTE_INT = 2;
const ATTRIBUTE_INTS = 7;

/** The bytes of an .onnx file. */
export function onnxModel(
  { nodes, inputs, weights, integers = {}, outputs }: OnnxGraph,
): Uint8Array<ArrayBuffer> {
  const domains = new Set(nodes.flatMap(({ domain }) => domain ?? []));
  const graph = join([
    ...nodes.map((node) => message(1, nodeFields(node))),
    text(2, "graph"),
    ...Object.entries(weights).map(([name, operand]) => message(5, tensorFields(name, operand))),
    ...Object.entries(integers).map(([name, values]) => message(5, integerFields(name, values))),
    ...Object.entries(inputs).map(([name, shape]) => message(11, valueFields(name, shape))),
    ...Object.entries(outputs).map(([name, shape]) => message(12, valueFields(name, shape))),
  ]);
  return join([
    integer(1, IR_VERSION),
    message(7, [graph]),
    message(8, [integer(2, OPSET)]),
    ...[...domains].map((domain) => message(8, [text(1, domain), integer(2, 1)])),
  ]);
}

function nodeFields(
  { op, inputs, output, attributes = {}, floats = {}, domain }: OnnxNode,
): Uint8Array[] {
  return [
    ...inputs.map((name) => text(1, name)),
    text(2, output),
    text(4, op),
    ...Object.entries(attributes).map(([name, value]) => message(5, attributeFields(name, value))),
    ...Object.entries(floats).map(([name, value]) => message(5, floatFields(name, value))),
    ...(domain === undefined ? [] : [text(7, domain)]),
  ];
}

function attributeFields(name: string, value: number | readonly number[]): Uint8Array[] {
  if (typeof value === "number") {
    return [text(1, name), integer(3, value), integer(20, ATTRIBUTE_INT)];
  }
  const elements = value.map((element) => integer(8, element));
  return [text(1, name), ...elements, integer(20, ATTRIBUTE_INTS)];
}

function floatFields(name: string, value: number): Uint8Array[] {
  const bits = new Uint8Array(Float32Array.of(value).buffer);
  return [text(1, name), fixed(2, bits), integer(20, ATTRIBUTE_FLOAT)];
}

function integerFields(name: string, values: readonly number[]): Uint8Array[] {
  const raw = new Uint8Array(BigInt64Array.from(values, BigInt).buffer);
  return [integer(1, values.length), integer(2, INT64), text(8, name), message(9, [raw])];
}

function tensorFields(name: string, { shape, values }: Operand): Uint8Array[] {
  const raw = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  return [
    ...shape.map((length) => integer(1, length)),
    integer(2, FLOAT),
    text(8, name),
    message(9, [raw]),
  ];
}

function valueFields(name: string, shape: readonly number[]): Uint8Array[] {
  const dimensions = shape.map((length) => message(1, [integer(1, length)]));
  return [
    text(1, name),
    message(2, [message(1, [integer(1, FLOAT), message(2, dimensions)])]),
  ];
}

/** A field of wire type 0. */
function integer(field: number, value: number): Uint8Array {
  return Uint8Array.from([...varint(field * 8), ...varint(value)]);
}

/** A field of wire type 5. */
function fixed(field: number, bits: Uint8Array): Uint8Array {
  return join([Uint8Array.from(varint(field * 8 + 5)), bits]);
}

/** A field of wire type 2. */
function message(field: number, parts: readonly Uint8Array[]): Uint8Array {
  const content = join(parts);
  return join([Uint8Array.from([...varint(field * 8 + 2), ...varint(content.length)]), content]);
}

function text(field: number, value: string): Uint8Array {
  return message(field, [new TextEncoder().encode(value)]);
}

/** Seven bits a byte, lowest first; the top bit says that more follow. */
function varint(value: number): number[] {
  const low = value % 128;
  return value < 128 ? [low] : [low + 128, ...varint((value - low) / 128)];
}

function join(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}
