// Functions of one number, applied to every element, and their gradients.
//
// Work goes by quads of four elements. Buffers are whole multiples of 256 bytes, so the last quad
// of any tensor exists; what lies in it beyond the tensor is never read back.

override OP: u32 = 0u;

const EXP = 0u;
const LOG = 1u;
const SQRT = 2u;
const RSQRT = 3u;
const SILU = 4u;
const GELU = 5u;
const RELU = 6u;
const LEAKY_RELU = 7u;
const SIGMOID = 8u;
const SOFTPLUS = 9u;
const CLAMP = 10u;
const ABS = 11u;
const SQUARE = 12u;
const TANH = 13u;
const AFFINE = 14u;

// a, b: leaky relu's slope; clamp's bounds; affine's scale and shift.
struct Params { quads: u32, a: f32, b: f32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read> dy: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4f>;

// e^-|v| never overflows; both branches of the logistic function are written with it.
fn sigmoid(v: vec4f) -> vec4f {
  let t = exp(-abs(v));
  return select(t, vec4f(1.0), v >= vec4f(0.0)) / (1.0 + t);
}

// log(1 + t) for t in [0, 1], as 2 atanh(t / (2 + t)): the builtin log of 1 + t would lose t's digits.
fn log1p(t: vec4f) -> vec4f {
  let r = t / (2.0 + t);
  let s = r * r; // at most 1/9
  let tail = 1.0 / 9.0 + s * (1.0 / 11.0 + s * (1.0 / 13.0 + s * (1.0 / 15.0)));
  return 2.0 * r * (1.0 + s * (1.0 / 3.0 + s * (0.2 + s * (1.0 / 7.0 + s * tail))));
}

fn hyperbolic_tangent(v: vec4f) -> vec4f {
  let t = exp(-2.0 * abs(v));
  let far = sign(v) * (1.0 - t) / (1.0 + t);
  let s = v * v;
  let near = v * (1.0 - s * (1.0 / 3.0 - s * (2.0 / 15.0 - s * (17.0 / 315.0))));
  return select(far, near, abs(v) < vec4f(0.1));
}

const ROOT_2_OVER_PI = 0.7978845608028654;

// 0.5 (1 + tanh(u)) is sigmoid(2u), which keeps its digits where tanh is near -1.
fn gelu_gate(v: vec4f) -> vec4f {
  return sigmoid(2.0 * ROOT_2_OVER_PI * v * (1.0 + 0.044715 * v * v));
}

fn gelu_grad(v: vec4f) -> vec4f {
  let gate = gelu_gate(v);
  let near = clamp(v, vec4f(-30.0), vec4f(30.0)); // beyond, gate (1 - gate) is 0 and v * v may be inf
  let slope = 2.0 * ROOT_2_OVER_PI * (1.0 + 3.0 * 0.044715 * near * near);
  return gate + near * gate * (1.0 - gate) * slope;
}

// Comparisons are written so that NaN stays NaN.
fn apply(v: vec4f) -> vec4f {
  let zero = vec4f(0.0);
  switch OP {
    case EXP: { return exp(v); }
    case LOG: { return log(v); }
    case SQRT: { return sqrt(v); }
    case RSQRT: { return 1.0 / sqrt(v); }
    case SILU: { return v * sigmoid(v); }
    case GELU: { return v * gelu_gate(v); }
    case RELU: { return select(v, zero, v < zero); }
    case LEAKY_RELU: { return select(v, params.a * v, v < zero); }
    case SIGMOID: { return sigmoid(v); }
    case SOFTPLUS: { return max(v, zero) + log1p(exp(-abs(v))); }
    case CLAMP: {
      let low = vec4f(params.a);
      let high = vec4f(params.b);
      return select(select(v, low, v < low), high, v > high);
    }
    case ABS: { return abs(v); }
    case SQUARE: { return v * v; }
    case TANH: { return hyperbolic_tangent(v); }
    default: { return params.a * v + params.b; }
  }
}

// The derivative, from what the operation saved: its input, or its output.
fn derivative(v: vec4f) -> vec4f {
  let zero = vec4f(0.0);
  let one = vec4f(1.0);
  switch OP {
    case EXP: { return v; } // of the output
    case LOG: { return 1.0 / v; }
    case SQRT: { return 0.5 / v; } // of the output
    case RSQRT: { return -0.5 * v * v * v; } // of the output
    case SILU: {
      let gate = sigmoid(v);
      return gate + v * gate * (1.0 - gate);
    }
    case GELU: { return gelu_grad(v); }
    case RELU: { return select(zero, one, v > zero); } // of the output
    case LEAKY_RELU: { return select(vec4f(params.a), one, v > zero); }
    case SIGMOID: { return v * (1.0 - v); } // of the output
    case SOFTPLUS: { return sigmoid(v); }
    case CLAMP: {
      return select(zero, one, (v >= vec4f(params.a)) & (v <= vec4f(params.b)));
    }
    case ABS: { return sign(v); }
    case SQUARE: { return 2.0 * v; }
    default: { return 1.0 - v * v; } // tanh, of the output
  }
}

@compute @workgroup_size(64)
fn forward(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i < params.quads) {
    y[i] = apply(x[i]);
  }
}

@compute @workgroup_size(64)
fn grad(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i < params.quads) {
    y[i] = dy[i] * derivative(x[i]);
  }
}
