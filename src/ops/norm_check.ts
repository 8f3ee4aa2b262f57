import { ShapeError, shapeText, type Tensor } from "../tensor/mod.ts";

/** Throws unless `x` is f32 with at least `rank` axes, none of them empty. */
export function checkNormInput(op: string, x: Tensor, rank: number): void {
  if (x.dtype !== "f32") throw new ShapeError(op, `x must be f32, found ${x.dtype}`);
  checkAxes(op, x, rank);
}

/** Throws unless `x` has at least `rank` axes, none of them empty. */
export function checkAxes(op: string, x: Tensor, rank: number): void {
  if (x.rank < rank || x.size === 0) {
    throw new ShapeError(
      op,
      `x must have at least ${rank} ${rank === 1 ? "axis" : "axes"} and no empty one, ` +
        `found ${shapeText(x.shape)}`,
    );
  }
}

/** Throws unless `x` is f32 and consists of rows along its last axis. */
export function checkRows(op: string, x: Tensor): void {
  checkNormInput(op, x, 1);
}

/** Throws unless `parameter` is f32 with one number per channel of `x` (its last axis). */
export function checkPerChannel(op: string, name: string, parameter: Tensor, x: Tensor): void {
  const channels = x.shape[x.rank - 1];
  if (parameter.dtype !== "f32" || parameter.rank !== 1 || parameter.size !== channels) {
    throw new ShapeError(
      op,
      `${name} must be f32 [${channels}], one number per channel of x ${shapeText(x.shape)}, ` +
        `found ${parameter.dtype} ${shapeText(parameter.shape)}`,
    );
  }
}

/** Throws unless `eps` is a finite number from 0 up. */
export function checkEps(op: string, eps: number): void {
  if (!(eps >= 0 && Number.isFinite(eps))) {
    throw new RangeError(`${op}: eps must be a number from 0 up, found ${eps}`);
  }
}
