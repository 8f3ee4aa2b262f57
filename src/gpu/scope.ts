import { GpuError } from "./errors.ts";

/** What a scope frees: anything that can be disposed. */
export interface Owned {
  /** Gives the memory back; a second call does nothing. */
  dispose(): void;
}

/** The open scopes of one GPU, innermost last. */
export class ScopeStack {
  #open: Scope[] = [];

  /** Hands `owned` to the innermost scope; without one its maker disposes it. */
  track(owned: Owned): void {
    this.#open.at(-1)?.add(owned);
  }

  /** Opens a scope. */
  open(): Scope {
    const parent = this.#open.at(-1);
    const scope = new Scope(parent, () => {
      const inOrder = this.#open.at(-1) === scope;
      this.#open = this.#open.filter((open) => open !== scope);
      if (!inOrder) {
        throw new GpuError(
          "a scope ended while a later one was still open: a scope must not span an await",
        );
      }
    });
    this.#open.push(scope);
    return scope;
  }
}

/**
 * Frees, when it ends, what was made while it was the innermost scope and was not kept.
 * A scope must not span an `await`: what another task makes meanwhile would belong to it.
 */
export class Scope implements Disposable {
  #owned = new Set<Owned>();
  #parent: Scope | undefined;
  #close: () => void;

  /** Made by `gpu.scope()`. */
  constructor(parent: Scope | undefined, close: () => void) {
    this.#parent = parent;
    this.#close = close;
  }

  /** Takes charge of `owned`. */
  add(owned: Owned): void {
    this.#owned.add(owned);
  }

  /** Lets `owned` outlive this scope: the enclosing scope takes it, or, without one, the caller. */
  keep<T extends Owned>(owned: T): T {
    if (this.#owned.delete(owned)) this.#parent?.add(owned);
    return owned;
  }

  /** Frees what is still owned. */
  [Symbol.dispose](): void {
    for (const owned of this.#owned) owned.dispose();
    this.#owned.clear();
    this.#close();
  }
}
