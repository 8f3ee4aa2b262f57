import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { CheckpointError, PytorchFile } from "../../../src/checkpoint/mod.ts";
import {
  op,
  pickle,
  stateDict,
  storageOf,
  tensorOf,
  type TensorPlan,
} from "../../support/pickle.ts";
import { FOUR, torchLegacy, torchZip } from "../../support/torch_file.ts";

const four = { shape: [4], strides: [1] };
const call = (module: string, name: string, argument: string) =>
  pickle(op.call(module, name, op.text(argument)));
/** A dictionary of lists, each of which holds the one before it ten times. */
function memoBomb(depth: number): Uint8Array {
  const levels = [[...op.emptyList, ...op.put(0)]];
  for (let i = 1; i <= depth; i++) {
    levels.push([...op.list(...Array.from({ length: 10 }, () => op.get(i - 1))), ...op.put(i)]);
  }
  return pickle(op.dict(...levels.flatMap((level, i) => [op.int(i), level])));
}

/** Dictionaries made of one list of pairs, as many as the list is long. */
function callBomb(size: number): Uint8Array<ArrayBuffer> {
  const pair = op.list(op.text("a"), op.none);
  const repeated = (operations: readonly number[]) => Array(size).fill(operations).flat();
  return pickle(
    [...op.global("collections", "OrderedDict"), ...op.put(0), ...pair, ...op.put(1)],
    [...op.emptyList, ...op.mark, ...repeated(op.get(1)), 0x65, ...op.put(2)],
    [...op.tuple(op.get(2)), ...op.put(3)],
    repeated([...op.get(0), ...op.get(3), ...op.reduce]),
  );
}

function nested(depth: number): Uint8Array {
  let value = tensorOf(four);
  for (let i = 0; i < depth; i++) value = op.dict(op.text("a"), value);
  return pickle(value);
}

/** A dictionary of so many tensors, all of them the same. */
function many(count: number, plan: TensorPlan): Uint8Array {
  const first = [...op.text("w"), ...tensorOf(plan), ...op.put(0)];
  const others = Array.from({ length: count - 1 }, (_, i) => [...op.int(i), ...op.get(0)]);
  return pickle(op.dict(first, others.flat()));
}

const none = new Uint8Array();
const raw = (...bytes: number[]) => Uint8Array.from([0x80, 2, ...bytes]);
const huge = op.little(2n ** 63n, 8);
const ascii = (text: string) => new TextEncoder().encode(text);

/** Pickles that no file of weights has, and what is said of them. */
const pickles: [string, Uint8Array, string][] = [
  ["os.system", call("os", "system", "id"), 'names "os.system", which is none of the few'],
  ["posix.system", call("posix", "system", "id"), 'names "posix.system"'],
  ["nt.system", call("nt", "system", "dir"), 'names "nt.system"'],
  ["eval", call("builtins", "eval", "1"), 'names "builtins.eval"'],
  ["Python 2's eval", call("__builtin__", "eval", "1"), 'names "__builtin__.eval"'],
  ["exec", call("builtins", "exec", "1"), 'names "builtins.exec"'],
  ["getattr", call("builtins", "getattr", "1"), 'names "builtins.getattr"'],
  ["subprocess", call("subprocess", "Popen", "id"), 'names "subprocess.Popen"'],
  ["a script", call("__torch__.model", "Net", ""), 'names "__torch__.model.Net"'],
  ["torch.load", call("torch.storage", "_load_from_bytes", ""), "torch.storage._load_from_bytes"],
  ["a name of JavaScript's", call("constructor", "constructor", ""), '"constructor.constructor"'],
  [
    "a name that is split elsewhere",
    call("torch", "_utils._rebuild_parameter", ""),
    "makes a para",
  ],
  [
    "os.system by the stack",
    pickle(op.text("os"), op.text("system"), op.stackGlobal, op.tuple(op.text("id")), op.reduce),
    'names "os.system"',
  ],
  [
    "a name that is a list",
    pickle(op.text("os"), op.emptyList, op.stackGlobal),
    "names a list of a text",
  ],
  ["os.system of protocol 0", raw(...ascii("(S'id'\nios\nsystem\n.")), "0x53 (STRING)"],
  ["an instance", raw(0x28, ...ascii("ios\nsystem\n.")), "0x69 (INST)"],
  ["a new object", pickle(op.emptyTuple, op.emptyTuple, [0x81]), "0x81 (NEWOBJ)"],
  ["an extension", pickle([0x82, 1]), "0x82 (EXT1)"],
  ["an unknown operation", pickle([0xff]), "0xff (an unknown one)"],
  ["a call of a text", pickle(op.text("eval"), op.emptyTuple, op.reduce), "calls a text, which is"],
  [
    "a call of a storage's class",
    call("torch", "FloatStorage", "4"),
    "calls torch.FloatStorage, which is not done",
  ],
  [
    "a call with a dictionary",
    pickle(op.global("collections", "OrderedDict"), op.emptyDict, op.reduce),
    "called with is a dictionary, expected a tuple",
  ],
  [
    "the state of a tensor",
    pickle(tensorOf(four), op.emptyDict, op.build),
    "sets the state of a tensor",
  ],
  ["an id of another kind", pickle(op.tuple(op.text("module")), op.persistent), 'to "module"'],
  ["an id that is a text", pickle(op.text("0"), op.persistent), "is a text, expected a tuple"],
  [
    "a storage of no class",
    pickle(op.tuple(op.text("storage"), op.none, op.text("0")), op.persistent),
    "a storage of None",
  ],
  [
    "a storage of a number",
    pickle(
      op.tuple(op.text("storage"), op.global("torch", "FloatStorage"), op.int(0)),
      op.persistent,
    ),
    "has a storage under a number",
  ],
  ["a storage of no size", pickle(storageOf({ elements: -1 })), "number of elements is -1"],
  ["a storage of 2^63", pickle(storageOf({ elements: 2n ** 63n })), "is 9223372036854775808"],
  [
    "a part beyond its storage",
    pickle(storageOf({ part: op.tuple(op.none, op.int(3), op.int(2)) })),
    "elements 3 to 5 of a storage of 4",
  ],
  ["a tensor of a text", call("torch._utils", "_rebuild_tensor", "0"), "makes a tensor of a text"],
  ["no tensor", pickle(op.call("torch._utils", "_rebuild_tensor_v2")), "makes a tensor of None"],
  ["a parameter of nothing", pickle(op.call("torch._utils", "_rebuild_parameter")), "of None"],
  ["a negative offset", stateDict({ w: { ...four, offset: -1 } }), "offset is -1"],
  ["an offset of 2^63", stateDict({ w: { ...four, offset: 2n ** 63n } }), "is 9223372036854775808"],
  ["a negative stride", stateDict({ w: { shape: [4], strides: [-1] } }), "stride is -1"],
  ["a negative size", stateDict({ w: { shape: [-4], strides: [1] } }), "size is -4"],
  ["a view beyond its storage", stateDict({ w: { shape: [5], strides: [1] } }), "out of its sto"],
  ["an offset beyond it", stateDict({ w: { ...four, offset: 1 } }), "out of its storage of 4"],
  ["strides beyond it", stateDict({ w: { shape: [2, 2], strides: [3, 1] } }), "out of its storage"],
  [
    "a shape beyond counting",
    stateDict({ w: { shape: [2 ** 52, 2 ** 52], strides: [2 ** 52, 1] } }),
    "out of its storage",
  ],
  ["strides for another shape", stateDict({ w: { shape: [4], strides: [] } }), "1 sizes and 0 str"],
  [
    "too many dimensions",
    stateDict({ w: { shape: Array(65).fill(1), strides: Array(65).fill(1) } }),
    "65 sizes and 65 strides, expected as many of both, 64 at most",
  ],
  [
    "an element repeated without an end",
    stateDict({ w: { shape: [2 ** 40], strides: [0] } }),
    'tensor "w" and those before it take 4398046511104 bytes of a file of',
  ],
  [
    "elements that many tensors repeat",
    many(9, { shape: [2 ** 23], strides: [0] }),
    'tensor "7" and those before it take 301989888 bytes of a file of',
  ],
  ["too many tensors", many(65_537, four), "has 65537 tensors, at most 65536 are read"],
  [
    "a tensor of a long name",
    stateDict({ ["a".repeat(1025)]: four }),
    "has a name of 1025 characters, expected at most 1024",
  ],
  [
    "a size of two hundred bytes",
    stateDict({ w: { shape: [2n ** 1599n], strides: [1] } }),
    "says that a tensor's size is ",
  ],
  ["a text of 2^63 bytes", pickle([0x8d, ...huge]), "wants 9223372036854775808 bytes more"],
  ["bytes of 2^63 bytes", pickle([0x8e, ...huge]), "wants 9223372036854775808 bytes more"],
  ["a text of 2^31 bytes", pickle([0x58, ...op.little(2 ** 31, 4)]), "wants 2147483648 bytes"],
  ["a text of -1 bytes", pickle([0x54, ...op.little(-1, 4)]), "has a text of -1 bytes"],
  ["a number of 2^31 bytes", pickle([0x8b, ...op.little(2 ** 31, 4)]), "number of 2147483648 byt"],
  ["a long name", pickle(op.global("o".repeat(300), "system")), "has a name of over 255 bytes"],
  ["a name without an end", raw(...ascii("cos")), "it is cut short"],
  ["no value", pickle(), "ends with 0 values"],
  ["a value too many", pickle(op.none, op.none), "ends with 2 values"],
  ["a mark too many", pickle(op.mark, op.none), "ends with 2 values"],
  ["a value that is not there", pickle(op.emptyDict, [0x61]), "takes a value where there is none"],
  ["a mark that is not there", pickle([0x74]), "since a mark that is not there"],
  ["a value below a mark", pickle(op.none, op.mark, op.put(0)), "takes a value where there is no"],
  ["a value that was not given", pickle(op.get(7)), "refers to value 7"],
  ["half an item", pickle(op.emptyDict, op.mark, op.none, [0x75]), "a key without a value"],
  ["half a pair", pickle(op.call("collections", "OrderedDict", op.list(op.list(op.none)))), "key"],
  ["a list as a key", pickle(op.dict(op.emptyList, op.none)), "has a list as a key"],
  ["items of a list", pickle(op.emptyList, op.none, op.none, op.setItem), "sets items of a list"],
  ["appending to a text", pickle(op.text("a"), op.none, [0x61]), "appends to a text"],
  ["a later protocol", Uint8Array.from([0x80, 6, 0x4e, 0x2e]), "is of protocol 6"],
  ["a list", pickle(op.list(op.none)), "holds a list, expected a dictionary"],
  ["a tensor alone", pickle(tensorOf(four)), "holds a tensor, expected a dictionary"],
  [
    "a tensor twice",
    pickle(op.dict(
      ...[op.text("a.b"), tensorOf(four), op.text("a"), op.dict(op.text("b"), tensorOf(four))],
    )),
    'tensor "a.b" is there twice',
  ],
  [
    "a dictionary within itself",
    pickle(op.emptyDict, op.put(0), op.text("a"), op.get(0), op.setItem),
    "nests its values over 64 deep, or without an end",
  ],
  ["a deep nesting", nested(100), "nests its values over 64 deep"],
  ["a memo bomb", memoBomb(20), "so that over 1000000 are to be looked at"],
  ["a list for every call", callBomb(50_000), "calls functions with over 1000000 values"],
  [
    "a million operations",
    Uint8Array.from([0x80, 2, ...Array<number>(1_000_001).fill(0x7d), 0x2e]),
    "has over 1000000 operations",
  ],
  [
    "a storage that is not there",
    stateDict({ w: { ...four, key: "../../etc/passwd" } }),
    '../../etc/passwd", which its tensors are in',
  ],
];

for (const [what, data, message] of pickles) {
  Deno.test(`A pickle with ${what} is refused`, async () => {
    for (const bytes of [torchZip(data), torchLegacy(data, {})]) {
      const error = await assertRejects(
        () => PytorchFile.fromBytes(bytes, "evil.pth"),
        CheckpointError,
      );
      assertStringIncludes(error.message, "evil.pth: ");
      assertStringIncludes(error.message, message);
      assertEquals(error.message.includes("\n"), false);
      assertEquals(error.message.length < 600, true, error.message);
    }
  });
}

Deno.test("What is refused is said with its place", async () => {
  await assertRejects(
    () => PytorchFile.fromBytes(torchZip(call("os", "system", "id")), "evil.pth"),
    CheckpointError,
    'evil.pth: at byte 2 of data.pkl the pickle names "os.system", which is none of the few things ' +
      "that weights need; nothing was run; if you trust the file, save its state_dict alone",
  );
});

const good = stateDict({ w: four });
const zero = { count: 4, bytes: FOUR };

/** Files of the older form, and what is said of them. */
const streams: [string, Uint8Array, string][] = [
  ["a pickle of another program", call("os", "system", "id"), 'names "os.system"'],
  ["plain values", pickle(op.dict()), "is a pickle, but not of torch.save"],
  ["only a magic number", pickle(op.int(0x1950a86a20f9469cfc6cn)), "it is cut short"],
  [
    "another version",
    new Uint8Array([...pickle(op.int(0x1950a86a20f9469cfc6cn)), ...pickle(op.int(1002))]),
    "is of version 1002, expected 1001",
  ],
  [
    "numbers of another machine",
    new Uint8Array([
      ...pickle(op.int(0x1950a86a20f9469cfc6cn)),
      ...pickle(op.int(1001)),
      ...pickle(op.dict(op.text("little_endian"), [0x89])),
    ]),
    "the highest byte first",
  ],
  ["no keys", torchLegacy(good, {}), 'has no storage "0"'],
  ["a key twice", torchLegacy(good, { 0: zero }, ["0", "0"]), 'lists the storage "0" twice'],
  ["a key of nothing", torchLegacy(good, { 0: zero, 1: zero }), '"1" that nothing refers to'],
  [
    "a storage of 2^63",
    torchLegacy(good, { 0: { ...zero, count: 2n ** 63n } }),
    "9223372036854775",
  ],
  ["a storage of another size", torchLegacy(good, { 0: { ...zero, count: 3 } }), "has 3 elements"],
  ["a storage cut short", torchLegacy(good, { 0: { ...zero, bytes: none } }), "it is cut short"],
  [
    "a storage of two sizes",
    torchLegacy(stateDict({ w: four, v: { ...four, elements: 5 } })),
    'tells two things of the storage "0"',
  ],
  [
    "a storage of two dtypes",
    torchLegacy(stateDict({ w: four, v: { ...four, storage: "HalfStorage" } })),
    'tells two things of the storage "0"',
  ],
];

for (const [what, bytes, message] of streams) {
  Deno.test(`A stream with ${what} is refused`, async () => {
    const error = await assertRejects(() => PytorchFile.fromBytes(bytes, "x.pth"), CheckpointError);
    assertStringIncludes(error.message, "x.pth: ");
    assertStringIncludes(error.message, message);
  });
}
