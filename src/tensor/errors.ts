/** Tensors whose shapes or dtypes do not fit an operation; the message names the operation. */
export class ShapeError extends TypeError {
  /** The class's own name, so that printed errors say what they are. */
  override name: string = "ShapeError";

  /** `op` is the operation's public name; `message` says what was found and what would fit. */
  constructor(op: string, message: string) {
    super(`${op}: ${message}`);
  }
}
