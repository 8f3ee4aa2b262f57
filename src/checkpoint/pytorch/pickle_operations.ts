import { MAX_CALL_VALUES, MAX_SHORT } from "../limits.ts";
import type { PickleWorld } from "./pickle.ts";
import type { PickleCursor } from "./pickle_cursor.ts";
import {
  itemsOf,
  kindOf,
  OpaqueObject,
  PickleDict,
  PickleFault,
  PickleGlobal,
  type PickleKey,
  PickleList,
  PickleTuple,
  type PickleValue,
} from "./values.ts";

/** The state of a pickle's reading. */
export interface Machine {
  /** Where it is read. */
  readonly cursor: PickleCursor;
  /** What its names stand for. */
  readonly world: PickleWorld;
  /** The values since the last mark. */
  stack: PickleValue[];
  /** The values before each mark. */
  readonly marked: PickleValue[][];
  /** The values that are referred to again. */
  readonly memo: Map<number, PickleValue>;
  /** How many values functions were called with. */
  called: number;
}

/** One operation; it throws a {@link PickleFault} where it cannot be done. */
type Operation = (machine: Machine) => void;

function pop({ stack }: Machine): PickleValue {
  const value = stack.pop();
  if (value !== undefined) return value;
  throw new PickleFault("takes a value where there is none; it is damaged, fetch it again");
}

function top({ stack }: Machine): PickleValue {
  if (stack.length > 0) return stack[stack.length - 1];
  throw new PickleFault("takes a value where there is none; it is damaged, fetch it again");
}

/** The values since the last mark, which is taken away. */
function sinceMark(machine: Machine): PickleValue[] {
  const before = machine.marked.pop();
  if (before === undefined) {
    throw new PickleFault("takes values since a mark that is not there; it is damaged");
  }
  const values = machine.stack;
  machine.stack = before;
  return values;
}

/** An operation that adds one value. */
function push(make: (machine: Machine) => PickleValue): Operation {
  return (machine) => {
    const value = make(machine);
    machine.stack.push(value);
  };
}

function text(machine: Machine, length: number | bigint): string {
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(machine.cursor.bytes(length));
}

/** A whole number of `length` bytes, the lowest first, in two's complement. */
function long({ cursor }: Machine, length: number): number | bigint {
  if (length > MAX_SHORT) {
    throw new PickleFault(`has a whole number of ${length} bytes, at most ${MAX_SHORT} are read`);
  }
  if (length === 0) return 0;
  const bytes = cursor.bytes(length).reverse();
  const value = BigInt.asIntN(8 * length, BigInt(`0x${bytes.toHex()}`));
  const isSmall = BigInt(Number.MIN_SAFE_INTEGER) <= value &&
    value <= BigInt(Number.MAX_SAFE_INTEGER);
  return isSmall ? Number(value) : value;
}

/** A length with a sign, as old writers have it. */
function signedLength({ cursor }: Machine): number {
  const length = cursor.i32();
  if (length >= 0) return length;
  throw new PickleFault(`has a text of ${length} bytes; it is damaged, fetch it again`);
}

function remember(machine: Machine, index: number): void {
  machine.memo.set(index, top(machine));
}

function recall({ memo }: Machine, index: number): PickleValue {
  const value = memo.get(index);
  if (value !== undefined) return value;
  throw new PickleFault(`refers to value ${index}, which it has not given; it is damaged`);
}

function tuple(machine: Machine, length: number): PickleTuple {
  const items = Array.from({ length }, () => pop(machine));
  return new PickleTuple(items.reverse());
}

function setItems(machine: Machine, pairs: readonly PickleValue[]): void {
  const dict = top(machine);
  if (!(dict instanceof PickleDict)) {
    throw new PickleFault(`sets items of ${kindOf(dict)}, expected a dictionary`);
  }
  if (pairs.length % 2 === 1) throw new PickleFault("has a key without a value; it is damaged");
  for (let i = 0; i < pairs.length; i += 2) dict.entries.set(asKey(pairs[i]), pairs[i + 1]);
}

/** A value as a key: what Python would compare by its value is not. */
export function asKey(value: PickleValue): PickleKey {
  const isCompound = value instanceof PickleList || value instanceof PickleTuple ||
    value instanceof PickleDict || value instanceof Uint8Array;
  if (!isCompound) return value;
  throw new PickleFault(`has ${kindOf(value)} as a key, expected a text or a number`);
}

function append(machine: Machine, values: readonly PickleValue[]): void {
  const list = top(machine);
  if (!(list instanceof PickleList)) {
    throw new PickleFault(`appends to ${kindOf(list)}, expected a list`);
  }
  for (const value of values) list.items.push(value);
}

function stackGlobal(machine: Machine): PickleValue {
  const name = pop(machine);
  const module = pop(machine);
  if (typeof name === "string" && typeof module === "string") {
    return machine.world.global(module, name);
  }
  throw new PickleFault(`names ${kindOf(name)} of ${kindOf(module)}, expected texts`);
}

function call(machine: Machine): PickleValue {
  const args = itemsOf(pop(machine), "what a function is called with");
  const callee = pop(machine);
  countCalled(machine, args);
  if (callee instanceof PickleGlobal && callee.call !== undefined) return callee.call(args);
  throw new PickleFault(`calls ${kindOf(callee)}, which is not done; nothing was run`);
}

/** Keeps within bounds what calls go through: one list may be given to each of them. */
function countCalled(machine: Machine, args: readonly PickleValue[]): void {
  for (const arg of args) {
    const isList = arg instanceof PickleList || arg instanceof PickleTuple;
    machine.called += isList ? arg.items.length : 1;
  }
  if (machine.called <= MAX_CALL_VALUES) return;
  throw new PickleFault(
    `calls functions with over ${MAX_CALL_VALUES} values, more than weights need`,
  );
}

/** Attributes of an object mean nothing here: a state dict's versions, the rest of numpy's dtype. */
function build(machine: Machine): void {
  pop(machine);
  const target = top(machine);
  if (target instanceof PickleDict || target instanceof OpaqueObject) return;
  throw new PickleFault(`sets the state of ${kindOf(target)}, which is not done; nothing was run`);
}

function protocol({ cursor }: Machine): void {
  const version = cursor.u8();
  if (version > 5) throw new PickleFault(`is of protocol ${version}, 2 to 5 are read`);
}

/** What is done, by the operation's code. Names are those of Python's pickletools. */
export const OPERATIONS: ReadonlyMap<number, Operation> = new Map<number, Operation>([
  [0x80, protocol], // PROTO
  [0x95, ({ cursor }) => void cursor.u64()], // FRAME: how much follows, which the reader finds out
  [0x28, (m) => void (m.marked.push(m.stack), m.stack = [])], // MARK
  [0x4e, push(() => null)], // NONE
  [0x88, push(() => true)], // NEWTRUE
  [0x89, push(() => false)], // NEWFALSE
  [0x4a, push(({ cursor }) => cursor.i32())], // BININT
  [0x4b, push(({ cursor }) => cursor.u8())], // BININT1
  [0x4d, push(({ cursor }) => cursor.u16())], // BININT2
  [0x8a, push((m) => long(m, m.cursor.u8()))], // LONG1
  [0x8b, push((m) => long(m, m.cursor.u32()))], // LONG4
  [0x47, push(({ cursor }) => cursor.f64())], // BINFLOAT
  [0x58, push((m) => text(m, m.cursor.u32()))], // BINUNICODE
  [0x8c, push((m) => text(m, m.cursor.u8()))], // SHORT_BINUNICODE
  [0x8d, push((m) => text(m, m.cursor.u64()))], // BINUNICODE8
  [0x54, push((m) => text(m, signedLength(m)))], // BINSTRING, Python 2's text
  [0x55, push((m) => text(m, m.cursor.u8()))], // SHORT_BINSTRING
  [0x42, push(({ cursor }) => cursor.bytes(cursor.u32()))], // BINBYTES
  [0x43, push(({ cursor }) => cursor.bytes(cursor.u8()))], // SHORT_BINBYTES
  [0x8e, push(({ cursor }) => cursor.bytes(cursor.u64()))], // BINBYTES8
  [0x7d, push(() => new PickleDict())], // EMPTY_DICT
  [0x5d, push(() => new PickleList())], // EMPTY_LIST
  [0x29, push(() => new PickleTuple([]))], // EMPTY_TUPLE
  [0x74, push((m) => new PickleTuple(sinceMark(m)))], // TUPLE
  [0x85, push((m) => tuple(m, 1))], // TUPLE1
  [0x86, push((m) => tuple(m, 2))], // TUPLE2
  [0x87, push((m) => tuple(m, 3))], // TUPLE3
  [0x73, (m) => setItems(m, tuple(m, 2).items)], // SETITEM
  [0x75, (m) => setItems(m, sinceMark(m))], // SETITEMS
  [0x61, (m) => append(m, [pop(m)])], // APPEND
  [0x65, (m) => append(m, sinceMark(m))], // APPENDS
  [0x68, push((m) => recall(m, m.cursor.u8()))], // BINGET
  [0x6a, push((m) => recall(m, m.cursor.u32()))], // LONG_BINGET
  [0x71, (m) => remember(m, m.cursor.u8())], // BINPUT
  [0x72, (m) => remember(m, m.cursor.u32())], // LONG_BINPUT
  [0x94, (m) => remember(m, m.memo.size)], // MEMOIZE
  [0x63, push(({ cursor, world }) => world.global(cursor.line(MAX_SHORT), cursor.line(MAX_SHORT)))], // GLOBAL
  [0x93, push(stackGlobal)], // STACK_GLOBAL
  [0x51, push((m) => m.world.persistent(pop(m)))], // BINPERSID
  [0x52, push(call)], // REDUCE
  [0x62, build], // BUILD
]);

/** The names of what is not done. */
export const REFUSED: ReadonlyMap<number, string> = new Map([
  ...([[0x30, "POP"], [0x31, "POP_MARK"], [0x32, "DUP"], [0x46, "FLOAT"], [0x49, "INT"]] as const),
  ...([[0x4c, "LONG"], [0x50, "PERSID"], [0x53, "STRING"], [0x56, "UNICODE"]] as const),
  ...([[0x64, "DICT"], [0x67, "GET"], [0x69, "INST"], [0x6c, "LIST"], [0x6f, "OBJ"]] as const),
  ...([[0x70, "PUT"], [0x81, "NEWOBJ"], [0x82, "EXT1"], [0x83, "EXT2"], [0x84, "EXT4"]] as const),
  ...([[0x8f, "EMPTY_SET"], [0x90, "ADDITEMS"], [0x91, "FROZENSET"]] as const),
  ...([[0x92, "NEWOBJ_EX"], [0x96, "BYTEARRAY8"], [0x97, "NEXT_BUFFER"]] as const),
  [0x98, "READONLY_BUFFER"],
]);
