import { CheckpointError } from "../errors.ts";
import { MAX_PICKLE_BYTES, MAX_PICKLE_OPERATIONS, MAX_SHORT } from "../limits.ts";
import { type Machine, OPERATIONS, REFUSED } from "./pickle_operations.ts";
import type { PickleCursor } from "./pickle_cursor.ts";
import { PickleFault, type PickleValue } from "./values.ts";

/** What the names in a pickle stand for. */
export interface PickleWorld {
  /** What a function or class stands for. @throws {PickleFault} where it is not known. */
  global(module: string, name: string): PickleValue;
  /** What lies outside of the pickle under an id. @throws {PickleFault} where it is not known. */
  persistent(id: PickleValue): PickleValue;
}

/** The stop that ends a pickle. */
const STOP = 0x2e;

/**
 * Reads one pickle, protocols 2 to 5, from the cursor's place on, and leaves the cursor behind it.
 *
 * A pickle is a program for a stack machine. This one has the operations that describe values, and of
 * those that would run something only the call of a function that `world` knows, which calls nothing of
 * the file's either. Its time and memory are bounded by the pickle's length and by the number of
 * operations.
 *
 * @param place Where it is, for messages: they say `at byte 12${place}`.
 * @throws {CheckpointError} where it asks for anything else, or is damaged.
 */
export function readPickle(
  cursor: PickleCursor,
  world: PickleWorld,
  { file, place }: { file: string; place: string },
): PickleValue {
  const machine: Machine = { cursor, world, stack: [], marked: [], memo: new Map(), called: 0 };
  const end = cursor.position + MAX_PICKLE_BYTES;
  let at = cursor.position;
  try {
    for (let count = 0; count < MAX_PICKLE_OPERATIONS; count++) {
      at = cursor.position;
      if (at > end) throw new PickleFault(`has over ${MAX_PICKLE_BYTES} bytes`);
      const code = cursor.u8();
      if (code === STOP) return result(machine);
      perform(machine, code);
    }
    throw new PickleFault(`has over ${MAX_PICKLE_OPERATIONS} operations, more than weights need`);
  } catch (fault) {
    if (!(fault instanceof PickleFault)) throw fault;
    throw new CheckpointError(file, `at byte ${at}${place} the pickle ${fault.message}`, {
      cause: fault,
    });
  }
}

function perform(machine: Machine, code: number): void {
  const operation = OPERATIONS.get(code);
  if (operation !== undefined) return operation(machine);
  const name = REFUSED.get(code) ?? "an unknown one";
  throw new PickleFault(
    `has the operation 0x${code.toString(16)} (${name}), which weights do not need; nothing was ` +
      "run; save the state_dict alone with torch.save",
  );
}

/** The one value that is left at the end. */
function result({ stack, marked }: Machine): PickleValue {
  if (stack.length === 1 && marked.length === 0) return stack[0];
  const left = stack.length + marked.length;
  throw new PickleFault(`ends with ${left} values, expected one; it is damaged, fetch it again`);
}

/** The world of a pickle that holds plain values only. */
export const PLAIN_WORLD: PickleWorld = {
  global(module, name) {
    throw refusedGlobal(`${module}.${name}`);
  },
  persistent() {
    throw new PickleFault("refers to a value outside of it, where none is expected");
  },
};

/** The fault of a pickle that names a function or class that is not known here. */
export function refusedGlobal(name: string): PickleFault {
  const shown = name.length > MAX_SHORT ? `${name.slice(0, MAX_SHORT)}...` : name;
  return new PickleFault(
    `names ${JSON.stringify(shown)}, which is none of the few things that weights need; nothing ` +
      "was run; if you trust the file, save its state_dict alone with torch.save",
  );
}
