import { type PickleWorld, refusedGlobal } from "./pickle.ts";
import { asKey } from "./pickle_operations.ts";
import { Storage, TensorView, tensorView } from "./tensor_view.ts";
import {
  countOf,
  itemsOf,
  kindOf,
  OpaqueObject,
  PickleDict,
  PickleFault,
  PickleGlobal,
  PickleTuple,
  type PickleValue,
} from "./values.ts";

/** How torch's classes of storages keep their numbers. */
const STORAGES: ReadonlyMap<string, string | undefined> = new Map([
  ["torch.DoubleStorage", "f64"],
  ["torch.FloatStorage", "f32"],
  ["torch.HalfStorage", "f16"],
  ["torch.BFloat16Storage", "bf16"],
  ["torch.LongStorage", "i64"],
  ["torch.IntStorage", "i32"],
  ["torch.ShortStorage", "i16"],
  ["torch.CharStorage", "i8"],
  ["torch.ByteStorage", "u8"],
  ["torch.BoolStorage", "bool"],
  ["torch.storage.UntypedStorage", undefined],
]);

/** The names of torch's dtypes. */
const DTYPES: ReadonlyMap<string, string> = new Map([
  ["torch.float64", "f64"],
  ["torch.float32", "f32"],
  ["torch.float16", "f16"],
  ["torch.bfloat16", "bf16"],
  ["torch.int64", "i64"],
  ["torch.int32", "i32"],
  ["torch.int16", "i16"],
  ["torch.int8", "i8"],
  ["torch.uint64", "u64"],
  ["torch.uint32", "u32"],
  ["torch.uint16", "u16"],
  ["torch.uint8", "u8"],
  ["torch.bool", "bool"],
  ["torch.float8_e4m3fn", "f8_e4m3"],
  ["torch.float8_e5m2", "f8_e5m2"],
]);

type Call = (args: readonly PickleValue[]) => PickleValue;

const opaque = (what: string): [string, Call] => [what, () => new OpaqueObject(what)];

/** What stands for a call of the functions and classes that checkpoints of autoencoders name. */
const CALLS: ReadonlyMap<string, Call> = new Map<string, Call>([
  ["collections.OrderedDict", orderedDict],
  ["torch.Size", ([sizes]) => new PickleTuple(itemsOf(sizes, "a torch.Size"))],
  ["torch._utils._rebuild_tensor", (args) => tensorView(args[0], args[1], args[2], args[3])],
  ["torch._utils._rebuild_tensor_v2", (args) => tensorView(args[0], args[1], args[2], args[3])],
  ["torch._utils._rebuild_tensor_v3", typedTensor],
  ["torch._utils._rebuild_parameter", parameter],
  ["torch._utils._rebuild_parameter_with_state", parameter],
  // The rest is in files that PyTorch Lightning wrote, beside the weights: those of Stable Diffusion 1.
  opaque("_codecs.encode"),
  opaque("numpy.dtype"),
  opaque("numpy.core.multiarray.scalar"),
  opaque("numpy._core.multiarray.scalar"),
  opaque("torch.device"),
]);

/** Names that are values themselves, and cannot be called. */
const NAMES: ReadonlySet<string> = new Set([
  ...STORAGES.keys(),
  ...DTYPES.keys(),
  "pytorch_lightning.callbacks.model_checkpoint.ModelCheckpoint",
]);

/** Older names of the same things. */
const ALIASES: ReadonlyMap<string, string> = new Map([
  ["torch.UntypedStorage", "torch.storage.UntypedStorage"],
  ["torch.storage._UntypedStorage", "torch.storage.UntypedStorage"],
]);

/** What the names in a file of weights stand for. */
export const TORCH_WORLD: PickleWorld = {
  global(module, name) {
    const given = `${module}.${name}`;
    const full = ALIASES.get(given) ?? given;
    const call = CALLS.get(full);
    if (call === undefined && !NAMES.has(full)) throw refusedGlobal(given);
    return new PickleGlobal(full, call);
  },
  persistent: storageOf,
};

/** The storage of an id: ("storage", class, key, device, elements), and in old files a part of it. */
function storageOf(id: PickleValue): Storage {
  const [kind, type, key, , elements, part] = itemsOf(id, "an id of a value outside");
  if (kind !== "storage") {
    const shown = typeof kind === "string" ? JSON.stringify(kind.slice(0, 40)) : kindOf(kind);
    throw new PickleFault(`refers to ${shown} outside of it, expected "storage"`);
  }
  if (!(type instanceof PickleGlobal) || !STORAGES.has(type.what)) {
    throw new PickleFault(`has a storage of ${kindOf(type ?? null)}, expected a class of torch's`);
  }
  if (typeof key !== "string") {
    throw new PickleFault(`has a storage under ${kindOf(key ?? null)}, expected a text`);
  }
  const dtype = STORAGES.get(type.what);
  const count = countOf(elements, "a storage's number of elements");
  if (part === undefined || part === null) return new Storage(key, dtype, count);
  const [, start, length] = itemsOf(part, "a part of a storage");
  const first = countOf(start, "a storage's beginning");
  const held = countOf(length, "a storage's length");
  if (first + held <= count) return new Storage(key, dtype, held, first, count);
  throw new PickleFault(`has elements ${first} to ${first + held} of a storage of ${count}`);
}

/** An ordered dictionary, empty or of a list of pairs. */
function orderedDict([pairs]: readonly PickleValue[]): PickleDict {
  const dict = new PickleDict();
  for (const pair of pairs === undefined ? [] : itemsOf(pairs, "an ordered dictionary's content")) {
    const [key, value] = itemsOf(pair, "a pair of an ordered dictionary");
    if (value === undefined) throw new PickleFault("has a key without a value; it is damaged");
    dict.entries.set(asKey(key), value);
  }
  return dict;
}

/** A tensor of a storage without a dtype, whose dtype is the seventh argument. */
function typedTensor(args: readonly PickleValue[]): TensorView {
  const name = args[6] instanceof PickleGlobal ? args[6].what : undefined;
  const dtype = name === undefined ? undefined : DTYPES.get(name);
  return tensorView(args[0], args[1], args[2], args[3], dtype);
}

/** A parameter: the tensor that it wraps. */
function parameter([tensor]: readonly PickleValue[]): TensorView {
  if (tensor instanceof TensorView) return tensor;
  throw new PickleFault(`makes a parameter of ${kindOf(tensor ?? null)}, expected a tensor`);
}
