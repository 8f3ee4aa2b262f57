/** What a pickle holds. Objects are only described, never made. */
export type PickleValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | PickleList
  | PickleTuple
  | PickleDict
  | PickleObject;

/** What names a value in a dictionary. */
export type PickleKey = null | boolean | number | bigint | string | PickleObject;

/** A list, or a set. */
export class PickleList {
  /** What is in it, in order. */
  readonly items: PickleValue[] = [];
}

/** A tuple. */
export class PickleTuple {
  /** Makes one of what is in it, in order. */
  constructor(readonly items: readonly PickleValue[]) {}
}

/** A dictionary. A map, so that no key means anything to this program. */
export class PickleDict {
  /** The values by their keys, in order. */
  readonly entries: Map<PickleKey, PickleValue> = new Map();
}

/** What Python would make an object of, told apart by the class that describes it. */
export abstract class PickleObject {
  /** What it is, for messages. */
  abstract readonly what: string;
}

/** An object without a meaning here: it says what it is, and nothing more. */
export class OpaqueObject extends PickleObject {
  /** Makes one that is `what`. */
  constructor(readonly what: string) {
    super();
  }
}

/** A Python function or class that a pickle names. */
export class PickleGlobal extends PickleObject {
  /**
   * @param what Its name with its module's.
   * @param call What stands for a call of it; without one it cannot be called.
   */
  constructor(
    readonly what: string,
    readonly call?: (args: readonly PickleValue[]) => PickleValue,
  ) {
    super();
  }
}

/** What is wrong in a pickle. Whoever reads the pickle adds the file and the place. */
export class PickleFault extends Error {
  /** The error's class name. */
  override readonly name: string = "PickleFault";
}

/** What kind of value this is, for messages. */
export function kindOf(value: PickleValue): string {
  if (value === null) return "None";
  if (value instanceof PickleList) return "a list";
  if (value instanceof PickleTuple) return "a tuple";
  if (value instanceof PickleDict) return "a dictionary";
  if (value instanceof PickleObject) return value.what;
  if (value instanceof Uint8Array) return "bytes";
  if (typeof value === "string") return "a text";
  return typeof value === "boolean" ? "a truth value" : "a number";
}

/** A count or a position. @throws {PickleFault} where it is none. */
export function countOf(value: PickleValue | undefined, what: string): number {
  if (Number.isSafeInteger(value) && (value as number) >= 0) return value as number;
  const found = typeof value === "number" || typeof value === "bigint"
    ? String(value)
    : kindOf(value ?? null);
  throw new PickleFault(`says that ${what} is ${found}, expected a whole number from 0 to 2^53`);
}

/** A tuple's or list's items. @throws {PickleFault} where it is neither. */
export function itemsOf(value: PickleValue | undefined, what: string): readonly PickleValue[] {
  if (value instanceof PickleTuple || value instanceof PickleList) return value.items;
  throw new PickleFault(`says that ${what} is ${kindOf(value ?? null)}, expected a tuple`);
}
