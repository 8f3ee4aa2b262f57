import { filled, type NDArray } from "./ndarray.ts";

/** Zeros around an image, in pixels. */
export interface Padding2d {
  top: number;
  bottom: number;
  left: number;
  right: number;
}

export interface Conv2dOptions {
  stride?: number;
  /** A number pads all four sides alike. */
  padding?: number | Padding2d;
}

export interface Conv1dOptions {
  stride?: number;
  /** A number pads both ends alike. */
  padding?: number | { left: number; right: number };
  paddingMode?: "zeros" | "circular";
}

/**
 * Cross-correlation as deep learning's convolution: x [N, H, W, Cin], weight [kH, kW, Cin, Cout],
 * bias [Cout] or null, to [N, H', W', Cout].
 */
export function conv2d(
  x: NDArray,
  weight: NDArray,
  bias: NDArray | null,
  options: Conv2dOptions = {},
): NDArray {
  const { stride = 1, padding = 0 } = options;
  const pad = typeof padding === "number"
    ? { top: padding, bottom: padding, left: padding, right: padding }
    : padding;
  const [batch, height, width, cin] = x.shape;
  const [kH, kW, wIn, cout] = weight.shape;
  if (cin !== wIn) throw new RangeError(`conv2d: x has ${cin} channels, the weight ${wIn}`);
  const outH = Math.floor((height + pad.top + pad.bottom - kH) / stride) + 1;
  const outW = Math.floor((width + pad.left + pad.right - kW) / stride) + 1;
  const y = filled([batch, outH, outW, cout], 0);
  for (let b = 0; b < batch; b++) {
    for (let oy = 0; oy < outH; oy++) {
      for (let ox = 0; ox < outW; ox++) {
        const out = ((b * outH + oy) * outW + ox) * cout;
        for (let ky = 0; ky < kH; ky++) {
          for (let kx = 0; kx < kW; kx++) {
            const iy = oy * stride - pad.top + ky;
            const ix = ox * stride - pad.left + kx;
            if (iy < 0 || iy >= height || ix < 0 || ix >= width) continue;
            const pixel = ((b * height + iy) * width + ix) * cin;
            const tap = (ky * kW + kx) * cin * cout;
            for (let i = 0; i < cin; i++) {
              for (let o = 0; o < cout; o++) {
                y.data[out + o] += x.data[pixel + i] * weight.data[tap + i * cout + o];
              }
            }
          }
        }
        if (bias) { for (let o = 0; o < cout; o++) y.data[out + o] += bias.data[o]; }
      }
    }
  }
  return y;
}

/** x [N, L, Cin], weight [k, Cin, Cout], bias [Cout] or null, to [N, L', Cout]. */
export function conv1d(
  x: NDArray,
  weight: NDArray,
  bias: NDArray | null,
  options: Conv1dOptions = {},
): NDArray {
  const { stride = 1, padding = 0, paddingMode = "zeros" } = options;
  const { left, right } = typeof padding === "number" ? { left: padding, right: padding } : padding;
  const [batch, length, cin] = x.shape;
  const [k, wIn, cout] = weight.shape;
  if (cin !== wIn) throw new RangeError(`conv1d: x has ${cin} channels, the weight ${wIn}`);
  const outL = Math.floor((length + left + right - k) / stride) + 1;
  const y = filled([batch, outL, cout], 0);
  for (let b = 0; b < batch; b++) {
    for (let position = 0; position < outL; position++) {
      const out = (b * outL + position) * cout;
      for (let tap = 0; tap < k; tap++) {
        const unwrapped = position * stride - left + tap;
        if (paddingMode === "zeros" && (unwrapped < 0 || unwrapped >= length)) continue;
        const source = ((unwrapped % length) + length) % length;
        for (let i = 0; i < cin; i++) {
          for (let o = 0; o < cout; o++) {
            y.data[out + o] += x.data[(b * length + source) * cin + i] *
              weight.data[(tap * cin + i) * cout + o];
          }
        }
      }
      if (bias) { for (let o = 0; o < cout; o++) y.data[out + o] += bias.data[o]; }
    }
  }
  return y;
}
