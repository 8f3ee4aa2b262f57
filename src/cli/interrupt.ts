/** Ctrl-C: what must be done before the program may end. */

const SIGNALS: readonly (readonly [Deno.Signal, number])[] = Deno.build.os === "windows"
  ? [["SIGINT", 130]]
  : [["SIGINT", 130], ["SIGTERM", 143]];

const cleanUps: (() => void | Promise<void>)[] = [];
let endingCode: number | undefined;

/**
 * Registers what is to be done when the user interrupts: remove a half-written file, save a run.
 * The last one registered runs first; each is awaited. A second Ctrl-C waits for none.
 *
 * @param cleanUp What to do; what it throws is ignored, so that the others still run.
 * @returns Disposing it takes the registration back: `using _ = onInterrupt(...)`.
 */
export function onInterrupt(cleanUp: () => void | Promise<void>): Disposable {
  cleanUps.push(cleanUp);
  return {
    [Symbol.dispose]() {
      const index = cleanUps.lastIndexOf(cleanUp);
      if (index >= 0) cleanUps.splice(index, 1);
    },
  };
}

/** The exit code of the interrupt that the program is ending for, if there is one. */
export function interruptCode(): number | undefined {
  return endingCode;
}

/** A signal for work that ends by itself when it is asked to. */
export interface Stop extends Disposable {
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
}

/**
 * The first Ctrl-C aborts the signal, and the program goes on until its command returns; what was
 * registered before this waits for that too.
 */
export function stopOnInterrupt(): Stop {
  const controller = new AbortController();
  const registration = onInterrupt(async () => {
    controller.abort();
    await new Promise(() => {}); // the command's return ends the program
  });
  return {
    signal: controller.signal,
    [Symbol.dispose]: () => registration[Symbol.dispose](),
  };
}

/** Listens for Ctrl-C and the request to terminate, until disposed. */
export function listenForInterrupts(): Disposable {
  const listeners = SIGNALS.map(([signal, code]) => {
    const listener = () => void end(code);
    Deno.addSignalListener(signal, listener);
    return () => Deno.removeSignalListener(signal, listener);
  });
  return {
    [Symbol.dispose]() {
      for (const remove of listeners) remove();
    },
  };
}

async function end(code: number): Promise<void> {
  if (endingCode === undefined) {
    endingCode = code;
    for (const cleanUp of cleanUps.splice(0).reverse()) {
      try {
        await cleanUp();
      } catch {
        // The program is ending: the other clean-ups matter more than this one's error.
      }
    }
  }
  Deno.exit(code);
}
