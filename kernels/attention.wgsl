// softmax(q kᵀ · scale) v without the matrix of scores in memory (Milakov & Gimelshein 2018; Dao et al.
// 2022). Tensors are [batch, tokens, heads, channels], read as vectors of four channels.
//
// A workgroup takes 32 rows and passes over the other side in tiles of 32. Threads compute a tile's
// scores in 4×4 blocks in registers, share them, and blend 8 rows × 4 channels at a time into the
// result, which stays in its buffer between tiles: so any number of channels works. Everything is added
// in a fixed order that does not depend on the batch.

struct Params {
  batch: u32,
  heads: u32,
  query_count: u32,
  key_count: u32,
  quads: u32, // channels / 4
  scale: f32,
}

override GROUP: u32 = 64u;

const TILE = 32u;
const QUADS = 8u; // TILE / 4
const LOWEST = -3.4028234e38;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> queries: array<vec4f>;
@group(0) @binding(2) var<storage, read> keys: array<vec4f>;
@group(0) @binding(3) var<storage, read> values: array<vec4f>;
@group(0) @binding(4) var<storage, read> cotangents: array<vec4f>;
@group(0) @binding(5) var<storage, read> log_sums: array<f32>; // [batch, heads, query_count]
@group(0) @binding(6) var<storage, read> deltas: array<f32>;
@group(0) @binding(7) var<storage, read> results: array<vec4f>;
@group(0) @binding(8) var<storage, read_write> first_out: array<vec4f>;
@group(0) @binding(9) var<storage, read_write> second_out: array<vec4f>;
@group(0) @binding(10) var<storage, read_write> row_out: array<f32>;

// A tile, transposed: for each of 32 rows of the side passed over, 8 vectors of 4 rows of this side.
// The gradients of keys and values need two of them.
var<workgroup> tile: array<vec4f, 2u * TILE * QUADS>;
var<workgroup> largest: array<vec4f, QUADS>;
var<workgroup> totals: array<vec4f, QUADS>;
var<workgroup> shrinks: array<vec4f, QUADS>;

struct Head { batch: u32, head: u32 }

// Where a token's channels begin. Tokens beyond the last read the last.
fn query_at(h: Head, token: u32) -> u32 {
  let t = min(token, params.query_count - 1u);
  return ((h.batch * params.query_count + t) * params.heads + h.head) * params.quads;
}

fn key_at(h: Head, token: u32) -> u32 {
  let t = min(token, params.key_count - 1u);
  return ((h.batch * params.key_count + t) * params.heads + h.head) * params.quads;
}

fn row_at(h: Head, token: u32) -> u32 {
  let t = min(token, params.query_count - 1u);
  return (h.batch * params.heads + h.head) * params.query_count + t;
}

// q · k for 4 queries × 4 keys; column j holds key j.
fn scores(h: Head, query: u32, key: u32) -> mat4x4f {
  var a = vec4u(query_at(h, query), query_at(h, query + 1u), query_at(h, query + 2u), query_at(h, query + 3u));
  var b = vec4u(key_at(h, key), key_at(h, key + 1u), key_at(h, key + 2u), key_at(h, key + 3u));
  var m = mat4x4f();
  for (var c = 0u; c < params.quads; c++) {
    let r0 = queries[a.x + c];
    let r1 = queries[a.y + c];
    let r2 = queries[a.z + c];
    let r3 = queries[a.w + c];
    let k0 = keys[b.x + c];
    let k1 = keys[b.y + c];
    let k2 = keys[b.z + c];
    let k3 = keys[b.w + c];
    m[0] += vec4f(dot(r0, k0), dot(r1, k0), dot(r2, k0), dot(r3, k0));
    m[1] += vec4f(dot(r0, k1), dot(r1, k1), dot(r2, k1), dot(r3, k1));
    m[2] += vec4f(dot(r0, k2), dot(r1, k2), dot(r2, k2), dot(r3, k2));
    m[3] += vec4f(dot(r0, k3), dot(r1, k3), dot(r2, k3), dot(r3, k3));
  }
  return m;
}

// dy · v for 4 queries × 4 keys: the cotangents of the probabilities.
fn probability_cotangents(h: Head, query: u32, key: u32) -> mat4x4f {
  var a = vec4u(query_at(h, query), query_at(h, query + 1u), query_at(h, query + 2u), query_at(h, query + 3u));
  var b = vec4u(key_at(h, key), key_at(h, key + 1u), key_at(h, key + 2u), key_at(h, key + 3u));
  var m = mat4x4f();
  for (var c = 0u; c < params.quads; c++) {
    let r0 = cotangents[a.x + c];
    let r1 = cotangents[a.y + c];
    let r2 = cotangents[a.z + c];
    let r3 = cotangents[a.w + c];
    let v0 = values[b.x + c];
    let v1 = values[b.y + c];
    let v2 = values[b.z + c];
    let v3 = values[b.w + c];
    m[0] += vec4f(dot(r0, v0), dot(r1, v0), dot(r2, v0), dot(r3, v0));
    m[1] += vec4f(dot(r0, v1), dot(r1, v1), dot(r2, v1), dot(r3, v1));
    m[2] += vec4f(dot(r0, v2), dot(r1, v2), dot(r2, v2), dot(r3, v2));
    m[3] += vec4f(dot(r0, v3), dot(r1, v3), dot(r2, v3), dot(r3, v3));
  }
  return m;
}

// 8 rows × 4 channels of a result.
struct Rows { r0: vec4f, r1: vec4f, r2: vec4f, r3: vec4f, r4: vec4f, r5: vec4f, r6: vec4f, r7: vec4f }

fn blend(rows: Rows, a: vec4f, b: vec4f, value: vec4f) -> Rows {
  return Rows(
    rows.r0 + a.x * value,
    rows.r1 + a.y * value,
    rows.r2 + a.z * value,
    rows.r3 + a.w * value,
    rows.r4 + b.x * value,
    rows.r5 + b.y * value,
    rows.r6 + b.z * value,
    rows.r7 + b.w * value,
  );
}

fn scaled(rows: Rows, a: vec4f, b: vec4f) -> Rows {
  return Rows(
    rows.r0 * a.x,
    rows.r1 * a.y,
    rows.r2 * a.z,
    rows.r3 * a.w,
    rows.r4 * b.x,
    rows.r5 * b.y,
    rows.r6 * b.z,
    rows.r7 * b.w,
  );
}

fn load_first(at: u32, step: u32) -> Rows {
  return Rows(
    first_out[at],
    first_out[at + step],
    first_out[at + 2u * step],
    first_out[at + 3u * step],
    first_out[at + 4u * step],
    first_out[at + 5u * step],
    first_out[at + 6u * step],
    first_out[at + 7u * step],
  );
}

fn store_first(at: u32, step: u32, count: u32, rows: Rows) {
  first_out[at] = rows.r0;
  if (count > 1u) { first_out[at + step] = rows.r1; }
  if (count > 2u) { first_out[at + 2u * step] = rows.r2; }
  if (count > 3u) { first_out[at + 3u * step] = rows.r3; }
  if (count > 4u) { first_out[at + 4u * step] = rows.r4; }
  if (count > 5u) { first_out[at + 5u * step] = rows.r5; }
  if (count > 6u) { first_out[at + 6u * step] = rows.r6; }
  if (count > 7u) { first_out[at + 7u * step] = rows.r7; }
}

fn load_second(at: u32, step: u32) -> Rows {
  return Rows(
    second_out[at],
    second_out[at + step],
    second_out[at + 2u * step],
    second_out[at + 3u * step],
    second_out[at + 4u * step],
    second_out[at + 5u * step],
    second_out[at + 6u * step],
    second_out[at + 7u * step],
  );
}

fn store_second(at: u32, step: u32, count: u32, rows: Rows) {
  second_out[at] = rows.r0;
  if (count > 1u) { second_out[at + step] = rows.r1; }
  if (count > 2u) { second_out[at + 2u * step] = rows.r2; }
  if (count > 3u) { second_out[at + 3u * step] = rows.r3; }
  if (count > 4u) { second_out[at + 4u * step] = rows.r4; }
  if (count > 5u) { second_out[at + 5u * step] = rows.r5; }
  if (count > 6u) { second_out[at + 6u * step] = rows.r6; }
  if (count > 7u) { second_out[at + 7u * step] = rows.r7; }
}

@compute @workgroup_size(GROUP)
fn forward(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let h = Head(group.z, group.y);
  let first = group.x * TILE;
  let step = params.heads * params.quads;
  for (var start = 0u; start < params.key_count; start += TILE) {
    let count = min(TILE, params.key_count - start);
    for (var s = lane; s < QUADS * QUADS; s += GROUP) {
      let row = s % QUADS;
      let key = 4u * (s / QUADS);
      var m = mat4x4f();
      if (key < count) {
        m = scores(h, first + 4u * row, start + key);
      }
      let lowest = vec4f(LOWEST);
      tile[key * QUADS + row] = select(lowest, m[0] * params.scale, key < count);
      tile[(key + 1u) * QUADS + row] = select(lowest, m[1] * params.scale, key + 1u < count);
      tile[(key + 2u) * QUADS + row] = select(lowest, m[2] * params.scale, key + 2u < count);
      tile[(key + 3u) * QUADS + row] = select(lowest, m[3] * params.scale, key + 3u < count);
    }
    workgroupBarrier();
    for (var row = lane; row < QUADS; row += GROUP) {
      let before = select(vec4f(LOWEST), largest[row], start > 0u);
      var highest = before;
      for (var j = 0u; j < count; j++) {
        highest = max(highest, tile[j * QUADS + row]);
      }
      let shrink = exp(before - highest);
      var total = select(vec4f(), totals[row], start > 0u) * shrink;
      for (var j = 0u; j < count; j++) {
        let e = exp(tile[j * QUADS + row] - highest);
        tile[j * QUADS + row] = e;
        total += e;
      }
      largest[row] = highest;
      totals[row] = total;
      shrinks[row] = shrink;
    }
    workgroupBarrier();
    for (var t = lane; t < TILE / 8u * params.quads; t += GROUP) {
      let row = 8u * (t / params.quads);
      let channel = t % params.quads;
      let pair = row / 4u;
      if (first + row >= params.query_count) {
        continue;
      }
      let at = query_at(h, first + row) + channel;
      var rows = Rows();
      if (start > 0u) {
        rows = scaled(load_first(at, step), shrinks[pair], shrinks[pair + 1u]);
      }
      for (var j = 0u; j < count; j++) {
        let value = values[key_at(h, start + j) + channel];
        rows = blend(rows, tile[j * QUADS + pair], tile[j * QUADS + pair + 1u], value);
      }
      if (start + TILE >= params.key_count) {
        rows = scaled(rows, 1.0 / totals[pair], 1.0 / totals[pair + 1u]);
      }
      store_first(at, step, params.query_count - first - row, rows);
    }
    workgroupBarrier();
  }
  for (var row = lane; row < QUADS; row += GROUP) {
    let log_sum = largest[row] + log(totals[row]);
    let token = first + 4u * row;
    if (token < params.query_count) { row_out[row_at(h, token)] = log_sum.x; }
    if (token + 1u < params.query_count) { row_out[row_at(h, token + 1u)] = log_sum.y; }
    if (token + 2u < params.query_count) { row_out[row_at(h, token + 2u)] = log_sum.z; }
    if (token + 3u < params.query_count) { row_out[row_at(h, token + 3u)] = log_sum.w; }
  }
}

// Σ over channels of dy·y of each query: what the softmax takes away from its cotangent.
@compute @workgroup_size(64)
fn row_deltas(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i >= params.batch * params.heads * params.query_count) {
    return;
  }
  let token = i % params.query_count;
  let row = i / params.query_count;
  let at = query_at(Head(row / params.heads, row % params.heads), token);
  var total = vec4f();
  for (var c = 0u; c < params.quads; c++) {
    total += cotangents[at + c] * results[at + c];
  }
  row_out[i] = (total.x + total.y) + (total.z + total.w);
}

fn four_log_sums(h: Head, query: u32) -> vec4f {
  return vec4f(
    log_sums[row_at(h, query)],
    log_sums[row_at(h, query + 1u)],
    log_sums[row_at(h, query + 2u)],
    log_sums[row_at(h, query + 3u)],
  );
}

fn four_deltas(h: Head, query: u32) -> vec4f {
  return vec4f(
    deltas[row_at(h, query)],
    deltas[row_at(h, query + 1u)],
    deltas[row_at(h, query + 2u)],
    deltas[row_at(h, query + 3u)],
  );
}

// The probabilities of 4 queries × 4 keys, again.
fn probabilities(h: Head, query: u32, key: u32) -> mat4x4f {
  let m = scores(h, query, key);
  let log_sum = four_log_sums(h, query);
  return mat4x4f(
    exp(m[0] * params.scale - log_sum),
    exp(m[1] * params.scale - log_sum),
    exp(m[2] * params.scale - log_sum),
    exp(m[3] * params.scale - log_sum),
  );
}

// The cotangents of q · k, from the probabilities p.
fn score_cotangents(h: Head, query: u32, key: u32, p: mat4x4f) -> mat4x4f {
  let d = probability_cotangents(h, query, key);
  let delta = four_deltas(h, query);
  return mat4x4f(
    p[0] * (d[0] - delta) * params.scale,
    p[1] * (d[1] - delta) * params.scale,
    p[2] * (d[2] - delta) * params.scale,
    p[3] * (d[3] - delta) * params.scale,
  );
}

@compute @workgroup_size(GROUP)
fn query_grad(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let h = Head(group.z, group.y);
  let first = group.x * TILE;
  let step = params.heads * params.quads;
  for (var start = 0u; start < params.key_count; start += TILE) {
    let count = min(TILE, params.key_count - start);
    for (var s = lane; s < QUADS * QUADS; s += GROUP) {
      let row = s % QUADS;
      let key = 4u * (s / QUADS);
      if (key >= count) {
        continue;
      }
      let p = probabilities(h, first + 4u * row, start + key);
      let d = score_cotangents(h, first + 4u * row, start + key, p);
      tile[key * QUADS + row] = d[0];
      tile[(key + 1u) * QUADS + row] = d[1];
      tile[(key + 2u) * QUADS + row] = d[2];
      tile[(key + 3u) * QUADS + row] = d[3];
    }
    workgroupBarrier();
    for (var t = lane; t < TILE / 8u * params.quads; t += GROUP) {
      let row = 8u * (t / params.quads);
      let channel = t % params.quads;
      let pair = row / 4u;
      if (first + row >= params.query_count) {
        continue;
      }
      let at = query_at(h, first + row) + channel;
      var rows = Rows();
      if (start > 0u) {
        rows = load_first(at, step);
      }
      for (var j = 0u; j < count; j++) {
        let key = keys[key_at(h, start + j) + channel];
        rows = blend(rows, tile[j * QUADS + pair], tile[j * QUADS + pair + 1u], key);
      }
      store_first(at, step, params.query_count - first - row, rows);
    }
    workgroupBarrier();
  }
}

// first_out: the gradient of the keys; second_out: that of the values.
@compute @workgroup_size(GROUP)
fn key_value_grad(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let h = Head(group.z, group.y);
  let first = group.x * TILE;
  let step = params.heads * params.quads;
  let second = TILE * QUADS;
  for (var start = 0u; start < params.query_count; start += TILE) {
    let count = min(TILE, params.query_count - start);
    for (var s = lane; s < QUADS * QUADS; s += GROUP) {
      let key = s % QUADS;
      let row = 4u * (s / QUADS);
      if (row >= count) {
        continue;
      }
      let p = probabilities(h, start + row, first + 4u * key);
      let by_query = transpose(p);
      tile[row * QUADS + key] = by_query[0];
      tile[(row + 1u) * QUADS + key] = by_query[1];
      tile[(row + 2u) * QUADS + key] = by_query[2];
      tile[(row + 3u) * QUADS + key] = by_query[3];
      let d = transpose(score_cotangents(h, start + row, first + 4u * key, p));
      tile[second + row * QUADS + key] = d[0];
      tile[second + (row + 1u) * QUADS + key] = d[1];
      tile[second + (row + 2u) * QUADS + key] = d[2];
      tile[second + (row + 3u) * QUADS + key] = d[3];
    }
    workgroupBarrier();
    for (var t = lane; t < TILE / 8u * params.quads; t += GROUP) {
      let key = 8u * (t / params.quads);
      let channel = t % params.quads;
      let pair = key / 4u;
      if (first + key >= params.key_count) {
        continue;
      }
      let at = key_at(h, first + key) + channel;
      var key_rows = Rows();
      if (start > 0u) {
        key_rows = load_first(at, step);
      }
      for (var j = 0u; j < count; j++) {
        let w = second + j * QUADS + pair;
        key_rows = blend(key_rows, tile[w], tile[w + 1u], queries[query_at(h, start + j) + channel]);
      }
      store_first(at, step, params.key_count - first - key, key_rows);
      var value_rows = Rows();
      if (start > 0u) {
        value_rows = load_second(at, step);
      }
      for (var j = 0u; j < count; j++) {
        let w = j * QUADS + pair;
        let dy = cotangents[query_at(h, start + j) + channel];
        value_rows = blend(value_rows, tile[w], tile[w + 1u], dy);
      }
      store_second(at, step, params.key_count - first - key, value_rows);
    }
    workgroupBarrier();
  }
}
