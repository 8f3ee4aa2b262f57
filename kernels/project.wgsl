// y = norm(W x + b) · scale for rows x, or for chosen rows of a table: for adapters on a CPU.
//
// There a load costs as much as dozens of multiplications, so an invocation loads W once, into registers,
// and lets a chunk of rows stream past it. Rows are read as vectors of four channels. An output is one
// chain of fused multiply-adds over the channels in rising order, as in matmul.wgsl, and a norm sums its
// row in rising order, as row_norm.wgsl with one thread a row: equal bits.

struct Params {
  rows: u32, // of y
  table: u32, // of x
  chunk: u32, // rows of one invocation
  scale: f32,
  epsilon: f32,
}

override GROUP: u32 = 8u;
override BLOCKS: u32 = 8u; // outputs, in vec4; at most 8
override QUADS: u32 = 4u; // channels, in vec4; at most 8
override CHOSEN: bool = false; // rows are read by their indices
override NORM: u32 = 0u;

const RMS = 1u;
const LAYER = 2u;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4f>; // [table, QUADS]
@group(0) @binding(2) var<storage, read> chosen: array<u32>; // [rows]
@group(0) @binding(3) var<storage, read> weight: array<vec4f>; // [4 · BLOCKS, QUADS]
@group(0) @binding(4) var<storage, read> bias: array<vec4f>;
@group(0) @binding(5) var<storage, read> gamma: array<vec4f>;
@group(0) @binding(6) var<storage, read> beta: array<vec4f>;
@group(0) @binding(7) var<storage, read_write> y: array<vec4f>; // [rows, BLOCKS]

// A row of x or of y.
struct Vector {
  v0: vec4f, v1: vec4f, v2: vec4f, v3: vec4f, v4: vec4f, v5: vec4f, v6: vec4f, v7: vec4f,
}

// Four rows of W: column i of m<j> holds channel 4j + i of the four.
struct Rows {
  m0: mat4x4f, m1: mat4x4f, m2: mat4x4f, m3: mat4x4f,
  m4: mat4x4f, m5: mat4x4f, m6: mat4x4f, m7: mat4x4f,
}

// Everything enters and leaves registers through the first, one after another: a loop of few loads
// compiles much faster than as many loads one by one.
fn pushed(v: vec4f, x: Vector) -> Vector {
  return Vector(v, x.v0, x.v1, x.v2, x.v3, x.v4, x.v5, x.v6);
}

fn load_weights(block: u32) -> Rows {
  var r = Rows();
  for (var quad = QUADS; quad > 0u; quad--) {
    let at = block * 4u * QUADS + quad - 1u;
    let m = transpose(mat4x4f(
      weight[at],
      weight[at + QUADS],
      weight[at + 2u * QUADS],
      weight[at + 3u * QUADS],
    ));
    r = Rows(m, r.m0, r.m1, r.m2, r.m3, r.m4, r.m5, r.m6);
  }
  return r;
}

fn load_bias() -> Vector {
  var v = Vector();
  for (var block = BLOCKS; block > 0u; block--) { v = pushed(bias[block - 1u], v); }
  return v;
}

fn load_gamma() -> Vector {
  var v = Vector();
  for (var block = BLOCKS; block > 0u; block--) { v = pushed(gamma[block - 1u], v); }
  return v;
}

fn load_beta() -> Vector {
  var v = Vector();
  for (var block = BLOCKS; block > 0u; block--) { v = pushed(beta[block - 1u], v); }
  return v;
}

fn load_row(row: u32) -> Vector {
  let at = row * QUADS;
  var v = Vector();
  v.v0 = x[at];
  if (QUADS > 1u) { v.v1 = x[at + 1u]; }
  if (QUADS > 2u) { v.v2 = x[at + 2u]; }
  if (QUADS > 3u) { v.v3 = x[at + 3u]; }
  if (QUADS > 4u) { v.v4 = x[at + 4u]; }
  if (QUADS > 5u) { v.v5 = x[at + 5u]; }
  if (QUADS > 6u) { v.v6 = x[at + 6u]; }
  if (QUADS > 7u) { v.v7 = x[at + 7u]; }
  return v;
}

fn store_row(row: u32, v: Vector) {
  let at = row * BLOCKS;
  y[at] = v.v0;
  if (BLOCKS > 1u) { y[at + 1u] = v.v1; }
  if (BLOCKS > 2u) { y[at + 2u] = v.v2; }
  if (BLOCKS > 3u) { y[at + 3u] = v.v3; }
  if (BLOCKS > 4u) { y[at + 4u] = v.v4; }
  if (BLOCKS > 5u) { y[at + 5u] = v.v5; }
  if (BLOCKS > 6u) { y[at + 6u] = v.v6; }
  if (BLOCKS > 7u) { y[at + 7u] = v.v7; }
}

fn dot_quad(m: mat4x4f, x: vec4f, sum: vec4f) -> vec4f {
  let two = fma(m[1], vec4f(x.y), fma(m[0], vec4f(x.x), sum));
  return fma(m[3], vec4f(x.w), fma(m[2], vec4f(x.z), two));
}

fn dots(r: Rows, x: Vector) -> vec4f {
  var sum = dot_quad(r.m0, x.v0, vec4f());
  if (QUADS > 1u) { sum = dot_quad(r.m1, x.v1, sum); }
  if (QUADS > 2u) { sum = dot_quad(r.m2, x.v2, sum); }
  if (QUADS > 3u) { sum = dot_quad(r.m3, x.v3, sum); }
  if (QUADS > 4u) { sum = dot_quad(r.m4, x.v4, sum); }
  if (QUADS > 5u) { sum = dot_quad(r.m5, x.v5, sum); }
  if (QUADS > 6u) { sum = dot_quad(r.m6, x.v6, sum); }
  if (QUADS > 7u) { sum = dot_quad(r.m7, x.v7, sum); }
  return sum;
}

// ---- Norms. Vectors have nothing behind their BLOCKS.

fn add_quad(sum: f32, v: vec4f) -> f32 {
  return (((sum + v.x) + v.y) + v.z) + v.w;
}

fn sum_of(v: Vector) -> f32 {
  var sum = add_quad(0.0, v.v0);
  if (BLOCKS > 1u) { sum = add_quad(sum, v.v1); }
  if (BLOCKS > 2u) { sum = add_quad(sum, v.v2); }
  if (BLOCKS > 3u) { sum = add_quad(sum, v.v3); }
  if (BLOCKS > 4u) { sum = add_quad(sum, v.v4); }
  if (BLOCKS > 5u) { sum = add_quad(sum, v.v5); }
  if (BLOCKS > 6u) { sum = add_quad(sum, v.v6); }
  if (BLOCKS > 7u) { sum = add_quad(sum, v.v7); }
  return sum;
}

fn less(v: Vector, s: f32) -> Vector {
  return Vector(v.v0 - s, v.v1 - s, v.v2 - s, v.v3 - s, v.v4 - s, v.v5 - s, v.v6 - s, v.v7 - s);
}

fn times(v: Vector, s: f32) -> Vector {
  return Vector(v.v0 * s, v.v1 * s, v.v2 * s, v.v3 * s, v.v4 * s, v.v5 * s, v.v6 * s, v.v7 * s);
}

fn product(v: Vector, w: Vector) -> Vector {
  return Vector(
    v.v0 * w.v0, v.v1 * w.v1, v.v2 * w.v2, v.v3 * w.v3,
    v.v4 * w.v4, v.v5 * w.v5, v.v6 * w.v6, v.v7 * w.v7,
  );
}

fn total(v: Vector, w: Vector) -> Vector {
  return Vector(
    v.v0 + w.v0, v.v1 + w.v1, v.v2 + w.v2, v.v3 + w.v3,
    v.v4 + w.v4, v.v5 + w.v5, v.v6 + w.v6, v.v7 + w.v7,
  );
}

fn normalised(v: Vector, factor: Vector, shift: Vector) -> Vector {
  if (NORM == 0u) {
    return v;
  }
  let width = f32(4u * BLOCKS);
  var off = v;
  if (NORM == LAYER) {
    off = less(v, v.v0.x + sum_of(less(v, v.v0.x)) / width);
  }
  let inverse = inverseSqrt(sum_of(product(off, off)) / width + params.epsilon);
  let scaled = product(times(off, inverse), factor);
  if (NORM == LAYER) {
    return total(scaled, shift);
  }
  return scaled;
}

@compute @workgroup_size(GROUP)
fn project(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let begin = ((group.y * groups.x + group.x) * GROUP + lane) * params.chunk;
  if (begin >= params.rows) {
    return;
  }
  let end = min(begin + params.chunk, params.rows);
  let w0 = load_weights(0u);
  var w1 = Rows();
  var w2 = Rows();
  var w3 = Rows();
  var w4 = Rows();
  var w5 = Rows();
  var w6 = Rows();
  var w7 = Rows();
  if (BLOCKS > 1u) { w1 = load_weights(1u); }
  if (BLOCKS > 2u) { w2 = load_weights(2u); }
  if (BLOCKS > 3u) { w3 = load_weights(3u); }
  if (BLOCKS > 4u) { w4 = load_weights(4u); }
  if (BLOCKS > 5u) { w5 = load_weights(5u); }
  if (BLOCKS > 6u) { w6 = load_weights(6u); }
  if (BLOCKS > 7u) { w7 = load_weights(7u); }
  let added = load_bias();
  var factor = Vector();
  var shift = Vector();
  if (NORM != 0u) { factor = load_gamma(); }
  if (NORM == LAYER) { shift = load_beta(); }
  for (var i = begin; i < end; i++) {
    var row = i;
    if (CHOSEN) { row = min(chosen[i], params.table - 1u); }
    let v = load_row(row);
    var sums = Vector();
    sums.v0 = dots(w0, v);
    if (BLOCKS > 1u) { sums.v1 = dots(w1, v); }
    if (BLOCKS > 2u) { sums.v2 = dots(w2, v); }
    if (BLOCKS > 3u) { sums.v3 = dots(w3, v); }
    if (BLOCKS > 4u) { sums.v4 = dots(w4, v); }
    if (BLOCKS > 5u) { sums.v5 = dots(w5, v); }
    if (BLOCKS > 6u) { sums.v6 = dots(w6, v); }
    if (BLOCKS > 7u) { sums.v7 = dots(w7, v); }
    let found = normalised(total(sums, added), factor, shift);
    store_row(i, times(found, params.scale));
  }
}
