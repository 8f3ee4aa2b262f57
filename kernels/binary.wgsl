// Functions of two numbers, with broadcasting.
//
// A thread makes four consecutive elements of the output. Buffers are whole multiples of 256 bytes,
// so the last quad of any tensor exists; what lies in it beyond the tensor is never read back.

override OP: u32 = 0u;
override RANK: u32 = 6u; // axes of the walk, from the innermost (d0) outwards
override A_REPEATS: bool = false; // operand a has stride 0 along the innermost axis
override B_REPEATS: bool = false;

const ADD = 0u;
const SUB = 1u;
const MUL = 2u;
const DIV = 3u;
const MAXIMUM = 4u;
const MINIMUM = 5u;
const GREATER = 6u; // 1 where a > b, 0.5 where they are equal: how a maximum's gradient is shared
const EQUAL = 7u;

// d: the output's axes; a, b: the operands' strides, in elements.
struct Params {
  quads: u32,
  d0: u32, d1: u32, d2: u32, d3: u32, d4: u32, d5: u32,
  a0: u32, a1: u32, a2: u32, a3: u32, a4: u32, a5: u32,
  b0: u32, b1: u32, b2: u32, b3: u32, b4: u32, b5: u32,
}

alias A = f32; // as they are stored
alias B = f32;
alias Y = f32;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<A>;
@group(0) @binding(2) var<storage, read> b: array<B>;
@group(0) @binding(3) var<storage, read> a_quads: array<vec4<A>>;
@group(0) @binding(4) var<storage, read> b_quads: array<vec4<B>>;
@group(0) @binding(5) var<storage, read_write> y: array<vec4<Y>>;

// By its bits: drivers take v != v for false.
fn is_nan(v: vec4f) -> vec4<bool> {
  return (bitcast<vec4u>(v) & vec4u(0x7fffffffu)) > vec4u(0x7f800000u);
}

// Comparisons are written so that NaN stays NaN.
fn combine(p: vec4f, q: vec4f) -> vec4f {
  let zero = vec4f(0.0);
  let one = vec4f(1.0);
  switch OP {
    case ADD: { return p + q; }
    case SUB: { return p - q; }
    case MUL: { return p * q; }
    case DIV: { return p / q; }
    case MAXIMUM: { return select(q, p, (p > q) | is_nan(p)); }
    case MINIMUM: { return select(q, p, (p < q) | is_nan(p)); }
    case GREATER: { return select(select(zero, vec4f(0.5), p == q), one, p > q); }
    default: { return select(zero, one, p == q); }
  }
}

// The operands' offsets of output element i.
fn offsets(i: u32) -> vec2u {
  var rest = i;
  var at = vec2u(0u);
  if (RANK > 1u) {
    let next = rest / params.d0;
    at += (rest - next * params.d0) * vec2u(params.a0, params.b0);
    rest = next;
  } else {
    at += rest * vec2u(params.a0, params.b0);
  }
  if (RANK > 2u) {
    let next = rest / params.d1;
    at += (rest - next * params.d1) * vec2u(params.a1, params.b1);
    rest = next;
  } else if (RANK == 2u) {
    at += rest * vec2u(params.a1, params.b1);
  }
  if (RANK > 3u) {
    let next = rest / params.d2;
    at += (rest - next * params.d2) * vec2u(params.a2, params.b2);
    rest = next;
  } else if (RANK == 3u) {
    at += rest * vec2u(params.a2, params.b2);
  }
  if (RANK > 4u) {
    let next = rest / params.d3;
    at += (rest - next * params.d3) * vec2u(params.a3, params.b3);
    rest = next;
  } else if (RANK == 4u) {
    at += rest * vec2u(params.a3, params.b3);
  }
  if (RANK > 5u) {
    let next = rest / params.d4;
    at += (rest - next * params.d4) * vec2u(params.a4, params.b4);
    at += next * vec2u(params.a5, params.b5);
  } else if (RANK == 5u) {
    at += rest * vec2u(params.a4, params.b4);
  }
  return at;
}

// Both operands have the output's shape.
@compute @workgroup_size(64)
fn same(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i < params.quads) {
    y[i] = vec4<Y>(combine(vec4f(a_quads[i]), vec4f(b_quads[i])));
  }
}

// The innermost axis is a multiple of four long: a quad lies in one row of every operand, where it is
// either contiguous or one number.
@compute @workgroup_size(64)
fn rows(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i < params.quads) {
    let at = offsets(4u * i);
    var p = vec4f(a_quads[at.x / 4u]);
    var q = vec4f(b_quads[at.y / 4u]);
    if (A_REPEATS) {
      p = vec4f(p[at.x % 4u]);
    }
    if (B_REPEATS) {
      q = vec4f(q[at.y % 4u]);
    }
    y[i] = vec4<Y>(combine(p, q));
  }
}

@compute @workgroup_size(64)
fn elements(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i < params.quads) {
    let at0 = offsets(4u * i);
    let at1 = offsets(4u * i + 1u);
    let at2 = offsets(4u * i + 2u);
    let at3 = offsets(4u * i + 3u);
    let p = vec4f(f32(a[at0.x]), f32(a[at1.x]), f32(a[at2.x]), f32(a[at3.x]));
    let q = vec4f(f32(b[at0.y]), f32(b[at1.y]), f32(b[at2.y]), f32(b[at3.y]));
    y[i] = vec4<Y>(combine(p, q));
  }
}
