// Attention from tokens to a codebook without the matrix of logits in memory: every pass computes the
// logits again, as flash attention does (Dao et al. 2022).
//
// An invocation holds BLOCKS times four rows of one side in registers (tokens in some passes, codes in
// others) and streams a chunk of the rows of the other side past them. Rows are read as vectors of four
// channels; four held rows lie across a vec4. A logit is one chain of fused multiply-adds over the
// channels in rising order, the same as in matmul.wgsl and the same bits in every pass. What chunks
// find is put together by the host in their order.
//
// Below, m is a token's largest logit, e = exp(l − m), x = (l − m)/τ and c = exp(x).

struct Params {
  held: u32,
  streamed: u32,
  chunk: u32, // streamed rows of one invocation
  chunks: u32,
  sharpness: f32, // 1/τ
  scales: u32, // how many the tokens are of
  first: u32, // where only one scale's tokens are held: the first of them in `held`
  first_weight: u32, // and the first of that scale's weights
}

override GROUP: u32 = 8u;
override BLOCKS: u32 = 1u; // 1 or 2; also 4, 5 or 6 in the search
override QUADS: u32 = 8u; // channels of queries and keys, in vec4; at most 8
override VALUE_QUADS: u32 = 4u; // channels of values, in vec4; at most 8
override MARGIN: bool = true; // the second largest logit is wanted

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> held: array<vec4f>; // [held, QUADS]
@group(0) @binding(2) var<storage, read> streamed: array<vec4f>; // [streamed, QUADS]
@group(0) @binding(3) var<storage, read> held_values: array<vec4f>; // [held, VALUE_QUADS]
@group(0) @binding(4) var<storage, read> streamed_values: array<vec4f>;
@group(0) @binding(5) var<storage, read> tokens: array<vec4f>; // numbers of each token
@group(0) @binding(6) var<storage, read> largest: array<f32>; // m of each token
@group(0) @binding(7) var<storage, read> weights: array<f32>; // [scales, codes]
@group(0) @binding(8) var<storage, read_write> found: array<f32>; // [chunks, held]
@group(0) @binding(9) var<storage, read_write> seconds: array<f32>;
@group(0) @binding(10) var<storage, read_write> indices: array<u32>;
@group(0) @binding(11) var<storage, read_write> sums: array<vec4f>;
@group(0) @binding(12) var<storage, read_write> rows_out: array<vec4f>;
@group(0) @binding(13) var<storage, read> starts: array<u32>; // each scale's first token, and the count

const LOWEST = -3.4028234e38;

// One streamed row, of queries, keys or values.
struct Vector {
  v0: vec4f, v1: vec4f, v2: vec4f, v3: vec4f, v4: vec4f, v5: vec4f, v6: vec4f, v7: vec4f,
}

// Four held rows: column i of m<j> holds channel 4j + i of the four.
struct Rows {
  m0: mat4x4f, m1: mat4x4f, m2: mat4x4f, m3: mat4x4f,
  m4: mat4x4f, m5: mat4x4f, m6: mat4x4f, m7: mat4x4f,
}

// The part of an invocation: which held rows, and which streamed ones.
struct Part { row: u32, chunk: u32, begin: u32, end: u32, valid: bool }

fn part_of(group: vec3u, groups: vec3u, lane: u32) -> Part {
  let id = (group.y * groups.x + group.x) * GROUP + lane;
  let across = (params.held + 4u * BLOCKS - 1u) / (4u * BLOCKS);
  let chunk = id / across;
  let begin = chunk * params.chunk;
  let end = min(begin + params.chunk, params.streamed);
  return Part(id % across * 4u * BLOCKS, chunk, begin, end, chunk < params.chunks);
}

// Rows beyond the last read the last.
fn four_places(first: u32, width: u32) -> vec4u {
  return min(first + vec4u(0u, 1u, 2u, 3u), vec4u(params.held - 1u)) * width;
}

fn held_quad(at: vec4u, quad: u32) -> mat4x4f {
  return transpose(mat4x4f(held[at.x + quad], held[at.y + quad], held[at.z + quad], held[at.w + quad]));
}

// Rows enter and leave through m0, one quad after another: a loop of few loads compiles much faster on
// a CPU adapter than as many loads one by one.
fn load_rows(first: u32) -> Rows {
  let at = four_places(first, QUADS) + params.first * QUADS;
  var r = Rows();
  for (var quad = QUADS; quad > 0u; quad--) {
    r = Rows(held_quad(at, quad - 1u), r.m0, r.m1, r.m2, r.m3, r.m4, r.m5, r.m6);
  }
  return r;
}

fn load_vector(row: u32) -> Vector {
  let at = row * QUADS;
  var x = Vector();
  x.v0 = streamed[at];
  if (QUADS > 1u) { x.v1 = streamed[at + 1u]; }
  if (QUADS > 2u) { x.v2 = streamed[at + 2u]; }
  if (QUADS > 3u) { x.v3 = streamed[at + 3u]; }
  if (QUADS > 4u) { x.v4 = streamed[at + 4u]; }
  if (QUADS > 5u) { x.v5 = streamed[at + 5u]; }
  if (QUADS > 6u) { x.v6 = streamed[at + 6u]; }
  if (QUADS > 7u) { x.v7 = streamed[at + 7u]; }
  return x;
}

fn value_quad(at: vec4u, quad: u32) -> mat4x4f {
  return transpose(mat4x4f(
    held_values[at.x + quad],
    held_values[at.y + quad],
    held_values[at.z + quad],
    held_values[at.w + quad],
  ));
}

fn load_held_values(first: u32) -> Rows {
  let at = four_places(first, VALUE_QUADS);
  var r = Rows();
  for (var quad = VALUE_QUADS; quad > 0u; quad--) {
    r = Rows(value_quad(at, quad - 1u), r.m0, r.m1, r.m2, r.m3, r.m4, r.m5, r.m6);
  }
  return r;
}

fn load_value(row: u32) -> Vector {
  let at = row * VALUE_QUADS;
  var x = Vector();
  x.v0 = streamed_values[at];
  if (VALUE_QUADS > 1u) { x.v1 = streamed_values[at + 1u]; }
  if (VALUE_QUADS > 2u) { x.v2 = streamed_values[at + 2u]; }
  if (VALUE_QUADS > 3u) { x.v3 = streamed_values[at + 3u]; }
  if (VALUE_QUADS > 4u) { x.v4 = streamed_values[at + 4u]; }
  if (VALUE_QUADS > 5u) { x.v5 = streamed_values[at + 5u]; }
  if (VALUE_QUADS > 6u) { x.v6 = streamed_values[at + 6u]; }
  if (VALUE_QUADS > 7u) { x.v7 = streamed_values[at + 7u]; }
  return x;
}

fn dot_quad(m: mat4x4f, x: vec4f, sum: vec4f) -> vec4f {
  let two = fma(m[1], vec4f(x.y), fma(m[0], vec4f(x.x), sum));
  return fma(m[3], vec4f(x.w), fma(m[2], vec4f(x.z), two));
}

// `quads` is QUADS or VALUE_QUADS, here and below.
fn dots(r: Rows, x: Vector, quads: u32) -> vec4f {
  var l = dot_quad(r.m0, x.v0, vec4f());
  if (quads > 1u) { l = dot_quad(r.m1, x.v1, l); }
  if (quads > 2u) { l = dot_quad(r.m2, x.v2, l); }
  if (quads > 3u) { l = dot_quad(r.m3, x.v3, l); }
  if (quads > 4u) { l = dot_quad(r.m4, x.v4, l); }
  if (quads > 5u) { l = dot_quad(r.m5, x.v5, l); }
  if (quads > 6u) { l = dot_quad(r.m6, x.v6, l); }
  if (quads > 7u) { l = dot_quad(r.m7, x.v7, l); }
  return l;
}

fn logits(r: Rows, x: Vector) -> vec4f {
  return dots(r, x, QUADS);
}

fn value_dots(r: Rows, x: Vector) -> vec4f {
  return dots(r, x, VALUE_QUADS);
}

// Adds the outer product of four factors and a vec4.
fn outer(m: mat4x4f, f: vec4f, x: vec4f) -> mat4x4f {
  return mat4x4f(
    fma(f, vec4f(x.x), m[0]),
    fma(f, vec4f(x.y), m[1]),
    fma(f, vec4f(x.z), m[2]),
    fma(f, vec4f(x.w), m[3]),
  );
}

fn add_outer(r: Rows, f: vec4f, x: Vector, quads: u32) -> Rows {
  var s = r;
  s.m0 = outer(r.m0, f, x.v0);
  if (quads > 1u) { s.m1 = outer(r.m1, f, x.v1); }
  if (quads > 2u) { s.m2 = outer(r.m2, f, x.v2); }
  if (quads > 3u) { s.m3 = outer(r.m3, f, x.v3); }
  if (quads > 4u) { s.m4 = outer(r.m4, f, x.v4); }
  if (quads > 5u) { s.m5 = outer(r.m5, f, x.v5); }
  if (quads > 6u) { s.m6 = outer(r.m6, f, x.v6); }
  if (quads > 7u) { s.m7 = outer(r.m7, f, x.v7); }
  return s;
}

// Stores one vec4 of channels of four rows, those that exist.
fn store_quad(p: Part, first: u32, width: u32, quad: u32, m: mat4x4f) {
  let rows = transpose(m);
  let at = (p.chunk * params.held + first) * width + quad;
  if (first < params.held) { rows_out[at] = rows[0]; }
  if (first + 1u < params.held) { rows_out[at + width] = rows[1]; }
  if (first + 2u < params.held) { rows_out[at + 2u * width] = rows[2]; }
  if (first + 3u < params.held) { rows_out[at + 3u * width] = rows[3]; }
}

fn store_rows(p: Part, first: u32, rows: Rows, quads: u32) {
  var r = rows;
  for (var quad = 0u; quad < quads; quad++) {
    store_quad(p, first, quads, quad, r.m0);
    r = Rows(r.m1, r.m2, r.m3, r.m4, r.m5, r.m6, r.m7, r.m7);
  }
}

fn store_found(part: u32, first: u32, v: vec4f) {
  let at = part * params.held + first;
  if (first < params.held) { found[at] = v.x; }
  if (first + 1u < params.held) { found[at + 1u] = v.y; }
  if (first + 2u < params.held) { found[at + 2u] = v.z; }
  if (first + 3u < params.held) { found[at + 3u] = v.w; }
}

fn four_largest(first: u32) -> vec4f {
  let at = four_places(first, 1u);
  return vec4f(largest[at.x], largest[at.y], largest[at.z], largest[at.w]);
}

// ---- The largest and the second largest logit of each token, and the code of the first; the lowest
// code of equals. Tokens are held.

struct Best { value: vec4f, second: vec4f, index: vec4u }

fn no_best() -> Best {
  return Best(vec4f(LOWEST), vec4f(LOWEST), vec4u());
}

fn improved(b: Best, l: vec4f, code: u32) -> Best {
  var second = b.second;
  if (MARGIN) { second = max(b.second, min(b.value, l)); }
  return Best(max(b.value, l), second, select(b.index, vec4u(code), l > b.value));
}

fn store_best(p: Part, first: u32, b: Best) {
  store_found(p.chunk, first, b.value);
  let at = p.chunk * params.held + first;
  if (first < params.held) { seconds[at] = b.second.x; indices[at] = b.index.x; }
  if (first + 1u < params.held) { seconds[at + 1u] = b.second.y; indices[at + 1u] = b.index.y; }
  if (first + 2u < params.held) { seconds[at + 2u] = b.second.z; indices[at + 2u] = b.index.z; }
  if (first + 3u < params.held) { seconds[at + 3u] = b.second.w; indices[at + 3u] = b.index.w; }
}

@compute @workgroup_size(GROUP)
fn search(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let p = part_of(group, groups, lane);
  if (!p.valid) {
    return;
  }
  let row = p.row;
  let r0 = load_rows(row);
  var r1 = Rows();
  var r2 = Rows();
  var r3 = Rows();
  if (BLOCKS > 1u) { r1 = load_rows(row + 4u); }
  var r4 = Rows();
  var r5 = Rows();
  if (BLOCKS > 2u) { r2 = load_rows(row + 8u); r3 = load_rows(row + 12u); }
  if (BLOCKS > 4u) { r4 = load_rows(row + 16u); }
  if (BLOCKS > 5u) { r5 = load_rows(row + 20u); }
  var b0 = no_best();
  var b1 = no_best();
  var b2 = no_best();
  var b3 = no_best();
  var b4 = no_best();
  var b5 = no_best();
  for (var code = p.begin; code < p.end; code++) {
    let key = load_vector(code);
    b0 = improved(b0, logits(r0, key), code);
    if (BLOCKS > 1u) { b1 = improved(b1, logits(r1, key), code); }
    if (BLOCKS > 2u) {
      b2 = improved(b2, logits(r2, key), code);
      b3 = improved(b3, logits(r3, key), code);
    }
    if (BLOCKS > 4u) { b4 = improved(b4, logits(r4, key), code); }
    if (BLOCKS > 5u) { b5 = improved(b5, logits(r5, key), code); }
  }
  store_best(p, row, b0);
  if (BLOCKS > 1u) { store_best(p, row + 4u, b1); }
  if (BLOCKS > 2u) { store_best(p, row + 8u, b2); store_best(p, row + 12u, b3); }
  if (BLOCKS > 4u) { store_best(p, row + 16u, b4); }
  if (BLOCKS > 5u) { store_best(p, row + 20u, b5); }
}

// ---- Σ e, Σ c and Σ c·x of each token, and Σ e·v. Tokens are held.

struct Sums { total: vec4f, cold: vec4f, moment: vec4f, soft: Rows }

fn add_code(s: Sums, l: vec4f, m: vec4f, value: Vector) -> Sums {
  let e = exp(l - m);
  let x = (l - m) * params.sharpness;
  let c = exp(x);
  return Sums(s.total + e, s.cold + c, fma(c, x, s.moment), add_outer(s.soft, e, value, VALUE_QUADS));
}

fn store_sums(p: Part, first: u32, s: Sums) {
  let rows = transpose(mat4x4f(s.total, s.cold, s.moment, vec4f()));
  let at = p.chunk * params.held + first;
  if (first < params.held) { sums[at] = rows[0]; }
  if (first + 1u < params.held) { sums[at + 1u] = rows[1]; }
  if (first + 2u < params.held) { sums[at + 2u] = rows[2]; }
  if (first + 3u < params.held) { sums[at + 3u] = rows[3]; }
  store_rows(p, first, s.soft, VALUE_QUADS);
}

@compute @workgroup_size(GROUP)
fn token_sums(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let p = part_of(group, groups, lane);
  if (!p.valid) {
    return;
  }
  let row = p.row;
  let r0 = load_rows(row);
  let m0 = four_largest(row);
  var r1 = Rows();
  var m1 = vec4f();
  if (BLOCKS > 1u) {
    r1 = load_rows(row + 4u);
    m1 = four_largest(row + 4u);
  }
  var s0 = Sums();
  var s1 = Sums();
  for (var code = p.begin; code < p.end; code++) {
    let key = load_vector(code);
    let value = load_value(code);
    s0 = add_code(s0, logits(r0, key), m0, value);
    if (BLOCKS > 1u) { s1 = add_code(s1, logits(r1, key), m1, value); }
  }
  store_sums(p, row, s0);
  if (BLOCKS > 1u) { store_sums(p, row + 4u, s1); }
}

// ---- Σ over each scale's tokens of P = c / Σ c, [chunks, scales, held]. Codes are held; tokens:
// (m, _, 1 / Σ c, _). A chunk runs over whatever scales its tokens are of.

fn cold_share(l: vec4f, token: vec4f) -> vec4f {
  return exp((l - token.x) * params.sharpness) * token.z;
}

@compute @workgroup_size(GROUP)
fn code_sums(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let p = part_of(group, groups, lane);
  if (!p.valid) {
    return;
  }
  let row = p.row;
  let r0 = load_rows(row);
  var r1 = Rows();
  if (BLOCKS > 1u) { r1 = load_rows(row + 4u); }
  var at = p.begin;
  for (var scale = 0u; scale < params.scales; scale++) {
    let end = min(starts[scale + 1u], p.end);
    var s0 = vec4f();
    var s1 = vec4f();
    for (; at < end; at++) {
      let query = load_vector(at);
      let token = tokens[at];
      s0 += cold_share(logits(r0, query), token);
      if (BLOCKS > 1u) { s1 += cold_share(logits(r1, query), token); }
    }
    let part = p.chunk * params.scales + scale;
    store_found(part, row, s0);
    if (BLOCKS > 1u) { store_found(part, row + 4u, s1); }
  }
}

// ---- Σ over codes of c·w, where w is of the token's scale. Tokens of all scales are held.

fn four_offsets(first: u32) -> vec4u {
  let at = four_places(first, 1u);
  var offsets = vec4u();
  for (var scale = 1u; scale < params.scales; scale++) {
    offsets += select(vec4u(), vec4u(params.streamed), at >= vec4u(starts[scale]));
  }
  return offsets;
}

fn four_weights(at: vec4u) -> vec4f {
  return vec4f(weights[at.x], weights[at.y], weights[at.z], weights[at.w]);
}

@compute @workgroup_size(GROUP)
fn weight_sums(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let p = part_of(group, groups, lane);
  if (!p.valid) {
    return;
  }
  let row = p.row;
  let r0 = load_rows(row);
  let m0 = four_largest(row);
  let o0 = four_offsets(row);
  var r1 = Rows();
  var m1 = vec4f();
  var o1 = vec4u();
  if (BLOCKS > 1u) {
    r1 = load_rows(row + 4u);
    m1 = four_largest(row + 4u);
    o1 = four_offsets(row + 4u);
  }
  var s0 = vec4f();
  var s1 = vec4f();
  for (var code = p.begin; code < p.end; code++) {
    let key = load_vector(code);
    s0 = fma(exp((logits(r0, key) - m0) * params.sharpness), four_weights(o0 + code), s0);
    if (BLOCKS > 1u) {
      s1 = fma(exp((logits(r1, key) - m1) * params.sharpness), four_weights(o1 + code), s1);
    }
  }
  store_found(p.chunk, row, s0);
  if (BLOCKS > 1u) { store_found(p.chunk, row + 4u, s1); }
}

// ---- Gradients. The cotangent of a logit is
//   e · (g·v − delta) + c · scale · (w − x + shift)
// with g the cotangent of ẑ over Σ e, and delta, scale and shift numbers of the token.

// Numbers of four logits, each a vec4 over them: of four tokens, or four times those of one.
struct Numbers { m: vec4f, delta: vec4f, scale: vec4f, shift: vec4f }

fn cotangents(l: vec4f, gv: vec4f, w: vec4f, n: Numbers) -> vec4f {
  let soft = exp(l - n.m) * (gv - n.delta);
  let x = (l - n.m) * params.sharpness;
  return fma(exp(x) * n.scale, w - x + n.shift, soft);
}

fn held_numbers(first: u32) -> Numbers {
  let at = four_places(first, 1u);
  let t = transpose(mat4x4f(tokens[at.x], tokens[at.y], tokens[at.z], tokens[at.w]));
  return Numbers(t[0], t[1], t[2], t[3]);
}

// With respect to queries. Tokens of one scale are held: their values are g.
@compute @workgroup_size(GROUP)
fn query_grad(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let p = part_of(group, groups, lane);
  if (!p.valid) {
    return;
  }
  let row = p.row;
  let r0 = load_rows(row);
  let g0 = load_held_values(row);
  let n0 = held_numbers(row);
  var r1 = Rows();
  var g1 = Rows();
  var n1 = Numbers();
  if (BLOCKS > 1u) {
    r1 = load_rows(row + 4u);
    g1 = load_held_values(row + 4u);
    n1 = held_numbers(row + 4u);
  }
  var d0 = Rows();
  var d1 = Rows();
  for (var code = p.begin; code < p.end; code++) {
    let key = load_vector(code);
    let value = load_value(code);
    let w = vec4f(weights[params.first_weight + code]);
    d0 = add_outer(d0, cotangents(logits(r0, key), value_dots(g0, value), w, n0), key, QUADS);
    if (BLOCKS > 1u) {
      d1 = add_outer(d1, cotangents(logits(r1, key), value_dots(g1, value), w, n1), key, QUADS);
    }
  }
  store_rows(p, row, d0, QUADS);
  if (BLOCKS > 1u) { store_rows(p, row + 4u, d1, QUADS); }
}

// With respect to keys. Codes are held; the values of the streamed tokens, of all scales, are g.
@compute @workgroup_size(GROUP)
fn key_grad(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let p = part_of(group, groups, lane);
  if (!p.valid) {
    return;
  }
  let row = p.row;
  let r0 = load_rows(row);
  let v0 = load_held_values(row);
  var r1 = Rows();
  var v1 = Rows();
  if (BLOCKS > 1u) {
    r1 = load_rows(row + 4u);
    v1 = load_held_values(row + 4u);
  }
  var d0 = Rows();
  var d1 = Rows();
  var at = p.begin;
  for (var scale = 0u; scale < params.scales; scale++) {
    let end = min(starts[scale + 1u], p.end);
    let w0 = four_weights(four_places(row, 1u) + scale * params.held);
    var w1 = vec4f();
    if (BLOCKS > 1u) { w1 = four_weights(four_places(row + 4u, 1u) + scale * params.held); }
    for (; at < end; at++) {
      let query = load_vector(at);
      let g = load_value(at);
      let t = tokens[at];
      let n = Numbers(vec4f(t.x), vec4f(t.y), vec4f(t.z), vec4f(t.w));
      d0 = add_outer(d0, cotangents(logits(r0, query), value_dots(v0, g), w0, n), query, QUADS);
      if (BLOCKS > 1u) {
        d1 = add_outer(d1, cotangents(logits(r1, query), value_dots(v1, g), w1, n), query, QUADS);
      }
    }
  }
  store_rows(p, row, d0, QUADS);
  if (BLOCKS > 1u) { store_rows(p, row + 4u, d1, QUADS); }
}
