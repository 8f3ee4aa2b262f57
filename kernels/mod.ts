// Generated from the .wgsl files in this folder by `deno task kernels`. Do not edit.

/** The WGSL source of every kernel family, by file name. */
export const sources: Readonly<Record<KernelName, string>> = {
  accumulate: `// Gradient accumulation: y += x, in place.
// Buffers are whole multiples of 256 bytes, so the last quad may reach past the tensor's end.

struct Params { size: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4f>;

@compute @workgroup_size(64)
fn add(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i * 4u < params.size) {
    y[i] += x[i];
  }
}
`,
  adamw: `// One step of AdamW over a page of parameters, in place, in the order of PyTorch's arithmetic, with or
// without the moving average of what it arrives at. What changes from step to step is not among the
// parameters of the dispatch but in \`scalars\`, so that a recorded step can be run again. A negative
// coefficient, as kernels/guard.wgsl gives it, leaves everything as it is.

struct Params {
  quads: u32,
  beta1: f32,
  beta2: f32,
  rest1: f32,
  rest2: f32,
  eps: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> gradient: array<vec4f>;
@group(0) @binding(2) var<storage, read> coefficient: array<f32>;
@group(0) @binding(3) var<storage, read> scalars: array<f32>;
@group(0) @binding(4) var<storage, read_write> parameter: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> first: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> second: array<vec4f>;
@group(0) @binding(7) var<storage, read_write> average: array<vec4f>;

const DECAY = 0u;
const STEP_SIZE = 1u;
const ROOT_CORRECTION2 = 2u;
const RATIO = 3u;
const REST = 4u;

fn moved(i: u32) -> vec4f {
  let g = gradient[i] * coefficient[0];
  let m = params.beta1 * first[i] + params.rest1 * g;
  let v = params.beta2 * second[i] + params.rest2 * g * g;
  first[i] = m;
  second[i] = v;
  let denominator = sqrt(v) / scalars[ROOT_CORRECTION2] + params.eps;
  return parameter[i] * scalars[DECAY] - scalars[STEP_SIZE] * (m / denominator);
}

@compute @workgroup_size(64)
fn step(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i < params.quads && !(coefficient[0] < 0.0)) {
    parameter[i] = moved(i);
  }
}

@compute @workgroup_size(64)
fn step_average(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i < params.quads && !(coefficient[0] < 0.0)) {
    let value = moved(i);
    parameter[i] = value;
    if (scalars[RATIO] == 0.0) {
      average[i] = value;
    } else {
      average[i] = scalars[RATIO] * average[i] + scalars[REST] * value;
    }
  }
}
`,
  argmax: `// The index of the largest element along the middle axis of [outer, length, inner]; the lowest of equals.
//
// A thread searches one chunk; where there are several, \`merge\` compares their winners.

struct Params { items: u32, length: u32, inner: u32, chunks: u32, chunk: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> scalars: array<f32>;
@group(0) @binding(2) var<storage, read> quads: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> values: array<f32>; // [outer, chunks, inner]
@group(0) @binding(4) var<storage, read_write> indices: array<u32>;
@group(0) @binding(5) var<storage, read> chunk_values: array<f32>;
@group(0) @binding(6) var<storage, read> chunk_indices: array<u32>;

struct Best { value: f32, index: u32 }

fn better(p: Best, q: Best) -> Best {
  if (q.value > p.value || (q.value == p.value && q.index < p.index)) {
    return q;
  }
  return p;
}

// inner is 1, and length and chunk are multiples of four.
@compute @workgroup_size(64)
fn rows(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i >= params.items) {
    return;
  }
  let first = (i % params.chunks) * params.chunk;
  let end = min(first + params.chunk, params.length);
  let row = (i / params.chunks) * params.length;
  var value = quads[(row + first) / 4u];
  var index = vec4u(first, first + 1u, first + 2u, first + 3u);
  for (var at = first + 4u; at < end; at += 4u) {
    let next = quads[(row + at) / 4u];
    let larger = next > value;
    value = select(value, next, larger);
    index = select(index, vec4u(at, at + 1u, at + 2u, at + 3u), larger);
  }
  let low = better(Best(value.x, index.x), Best(value.y, index.y));
  let high = better(Best(value.z, index.z), Best(value.w, index.w));
  let best = better(low, high);
  values[i] = best.value;
  indices[i] = best.index;
}

@compute @workgroup_size(64)
fn elements(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i >= params.items) {
    return;
  }
  let column = i % params.inner;
  let block = i / params.inner;
  let first = (block % params.chunks) * params.chunk;
  let end = min(first + params.chunk, params.length);
  let row = (block / params.chunks) * params.length;
  var best = Best(scalars[(row + first) * params.inner + column], first);
  for (var at = first + 1u; at < end; at++) {
    let value = scalars[(row + at) * params.inner + column];
    if (value > best.value) {
      best = Best(value, at);
    }
  }
  values[i] = best.value;
  indices[i] = best.index;
}

@compute @workgroup_size(64)
fn merge(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i >= params.items) {
    return;
  }
  let start = (i / params.inner) * params.chunks * params.inner + i % params.inner;
  var best = Best(chunk_values[start], chunk_indices[start]);
  for (var chunk = 1u; chunk < params.chunks; chunk++) {
    let at = start + chunk * params.inner;
    if (chunk_values[at] > best.value) {
      best = Best(chunk_values[at], chunk_indices[at]);
    }
  }
  indices[i] = best.index;
}
`,
  attention: `// softmax(q kᵀ · scale) v without the matrix of scores in memory (Milakov & Gimelshein 2018; Dao et al.
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
`,
  binary: `// Functions of two numbers, with broadcasting.
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
`,
  cast: `// Floats of one width as floats of another: y = x, rounded to the nearest where y is narrower.
// Buffers are whole multiples of 256 bytes, so the last quad may reach past the tensor's end.

struct Params { size: u32 }

alias X = f32; // as they are stored
alias Y = f32;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<X>>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4<Y>>;

@compute @workgroup_size(64)
fn convert(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i * 4u < params.size) {
    y[i] = vec4<Y>(vec4f(x[i]));
  }
}
`,
  code_counts: `// Counts how often each code was chosen. Sums of integers do not depend on the order of their terms.

struct Params { size: u32, codes: u32, first: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> indices: array<u32>;
@group(0) @binding(2) var<storage, read_write> counts: array<atomic<u32>>; // from \`first\`, [codes]

@compute @workgroup_size(64)
fn add(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i < params.size) {
    atomicAdd(&counts[params.first + min(indices[i], params.codes - 1u)], 1u);
  }
}
`,
  column_sums: `// Sums of two arrays [batches, rows, columns] over their rows, in fixed order.
// LANES threads share a column; each adds every LANES-th row, then a tree joins them.

struct Params { batches: u32, rows: u32, columns: u32 }

override GROUP: u32 = 8u;
override LANES: u32 = 1u;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read_write> a_sums: array<f32>;
@group(0) @binding(4) var<storage, read_write> b_sums: array<f32>;

var<workgroup> part: array<vec2f, GROUP>;

@compute @workgroup_size(GROUP)
fn sum(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) index: u32,
) {
  let width = GROUP / LANES;
  let lane = index / width;
  let found = (group.y * groups.x + group.x) * width + index % width;
  let total = params.batches * params.columns;
  let i = min(found, total - 1u);
  let first = (i / params.columns) * params.rows * params.columns + i % params.columns;
  var sums = vec2f();
  for (var row = lane; row < params.rows; row += LANES) {
    let at = first + row * params.columns;
    sums += vec2f(a[at], b[at]);
  }
  part[index] = sums;
  workgroupBarrier();
  for (var half = LANES / 2u; half > 0u; half >>= 1u) {
    if (lane < half) {
      part[index] += part[index + half * width];
    }
    workgroupBarrier();
  }
  if (lane == 0u && found < total) {
    a_sums[i] = part[index].x;
    b_sums[i] = part[index].y;
  }
}
`,
  conv2d: `// y = x * w + bias: cross-correlation of NHWC images with weights [kH, kW, cin, cout].
//
// x is read as if it had DILATION - 1 zeros between neighbours: the input gradient of a strided
// convolution is a convolution of the dilated dy with the flipped weights.
// cin and cout are multiples of 4; the host pads where they are not. Each output element is one
// chain of fused multiply-adds over ky, kx, cin, in that order, in every entry and whatever its place
// in a tile.

struct Params {
  batch: u32,
  height: u32,
  width: u32,
  cin: u32,
  outHeight: u32,
  outWidth: u32,
  cout: u32,
  kernelHeight: u32,
  kernelWidth: u32,
  stride: u32,
  top: i32,
  left: i32,
  // top and left modulo DILATION, from 0 to DILATION - 1
  topPhase: u32,
  leftPhase: u32,
  hasBias: u32,
}

override DILATION: u32 = 1u; // where not 1, stride is 1
override NARROW: bool = false; // an invocation computes 4 channels and not 8

alias X = f32; // as they are stored
alias W = f32;
alias Y = f32;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<X>>;
@group(0) @binding(2) var<storage, read> w: array<vec4<W>>;
@group(0) @binding(3) var<storage, read> bias: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> y: array<vec4<Y>>;
@group(0) @binding(5) var<storage, read> singles: array<X>; // x, channel by channel

fn loadW(at: u32) -> vec4f {
  return vec4f(w[at]);
}

fn store(pixel: u32, quad: u32, value: vec4f) {
  var sum = value;
  if (params.hasBias == 1u) {
    sum = sum + bias[quad];
  }
  y[pixel * (params.cout / 4u) + quad] = vec4<Y>(sum);
}

// 8 pixels by 8 channels, of which the entries below may compute a part.
struct Tile {
  r0: vec4f, r1: vec4f, r2: vec4f, r3: vec4f, r4: vec4f, r5: vec4f, r6: vec4f, r7: vec4f,
  s0: vec4f, s1: vec4f, s2: vec4f, s3: vec4f, s4: vec4f, s5: vec4f, s6: vec4f, s7: vec4f,
}

override TALL: bool = true; // 8 pixels and not 4

fn step(t: ptr<function, Tile>, top: vec4f, low: vec4f, left: vec4f, right: vec4f) {
  (*t).r0 = fma(vec4f(top.x), left, (*t).r0);
  (*t).r1 = fma(vec4f(top.y), left, (*t).r1);
  (*t).r2 = fma(vec4f(top.z), left, (*t).r2);
  (*t).r3 = fma(vec4f(top.w), left, (*t).r3);
  if (TALL) {
    (*t).r4 = fma(vec4f(low.x), left, (*t).r4);
    (*t).r5 = fma(vec4f(low.y), left, (*t).r5);
    (*t).r6 = fma(vec4f(low.z), left, (*t).r6);
    (*t).r7 = fma(vec4f(low.w), left, (*t).r7);
  }
  if (!NARROW) {
    (*t).s0 = fma(vec4f(top.x), right, (*t).s0);
    (*t).s1 = fma(vec4f(top.y), right, (*t).s1);
    (*t).s2 = fma(vec4f(top.z), right, (*t).s2);
    (*t).s3 = fma(vec4f(top.w), right, (*t).s3);
    if (TALL) {
      (*t).s4 = fma(vec4f(low.x), right, (*t).s4);
      (*t).s5 = fma(vec4f(low.y), right, (*t).s5);
      (*t).s6 = fma(vec4f(low.z), right, (*t).s6);
      (*t).s7 = fma(vec4f(low.w), right, (*t).s7);
    }
  }
}

// ---- One invocation computes 8 pixels of a row by 8 channels in registers: for small images on a CPU,
// and where workgroup memory does not pay.

// The pixels of a tile lie DILATION apart, so that the same taps reach all of them.
struct Run {
  pixel: u32, // of the first output pixel, within the batch
  distance: u32, // from one to the next
  count: u32, // how many of the 8 exist
}

fn storeRun(
  run: Run,
  quad: u32,
  v0: vec4f,
  v1: vec4f,
  v2: vec4f,
  v3: vec4f,
  v4: vec4f,
  v5: vec4f,
  v6: vec4f,
  v7: vec4f,
) {
  store(run.pixel, quad, v0);
  if (run.count > 1u) {
    store(run.pixel + run.distance, quad, v1);
  }
  if (run.count > 2u) {
    store(run.pixel + 2u * run.distance, quad, v2);
  }
  if (run.count > 3u) {
    store(run.pixel + 3u * run.distance, quad, v3);
  }
  if (run.count > 4u) {
    store(run.pixel + 4u * run.distance, quad, v4);
  }
  if (run.count > 5u) {
    store(run.pixel + 5u * run.distance, quad, v5);
  }
  if (run.count > 6u) {
    store(run.pixel + 6u * run.distance, quad, v6);
  }
  if (run.count > 7u) {
    store(run.pixel + 7u * run.distance, quad, v7);
  }
}

fn inside(position: i32, extent: u32) -> bool {
  return position >= 0 && position < i32(extent);
}

override GROUP: u32 = 16u;

@compute @workgroup_size(GROUP)
fn registers(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let cin = params.cin / 4u;
  let cout = params.cout / 4u;
  let stride = i32(params.stride);
  // Which channels, which columns, which row of which image.
  let across = (cout + 1u) / 2u;
  let tiles = (params.outWidth + 8u * DILATION - 1u) / (8u * DILATION);
  let id = (group.y * groups.x + group.x) * GROUP + lane;
  let quad = id % across * 2u;
  let phase = id / across % DILATION;
  let ox = id / (across * DILATION) % tiles * 8u * DILATION + phase;
  let line = id / (across * DILATION * tiles);
  let image = line / params.outHeight;
  let oy = line % params.outHeight;
  if (image >= params.batch || ox >= params.outWidth) {
    return;
  }
  let lastQuad = min(quad + 1u, cout - 1u);
  var t = Tile();
  let firstKy = (params.topPhase + DILATION - oy % DILATION) % DILATION;
  let firstKx = (params.leftPhase + DILATION - phase) % DILATION;
  for (var ky = firstKy; ky < params.kernelHeight; ky = ky + DILATION) {
    let iy = (i32(oy * params.stride + ky) - params.top) / i32(DILATION);
    if (!inside(iy, params.height)) {
      continue;
    }
    let start = (image * params.height + u32(iy)) * params.width;
    for (var kx = firstKx; kx < params.kernelWidth; kx = kx + DILATION) {
      let ix = (i32(ox * params.stride + kx) - params.left) / i32(DILATION);
      let in0 = inside(ix, params.width);
      let in1 = inside(ix + stride, params.width);
      let in2 = inside(ix + 2 * stride, params.width);
      let in3 = inside(ix + 3 * stride, params.width);
      let in4 = inside(ix + 4 * stride, params.width);
      let in5 = inside(ix + 5 * stride, params.width);
      let in6 = inside(ix + 6 * stride, params.width);
      let in7 = inside(ix + 7 * stride, params.width);
      let place0 = (i32(start) + ix) * i32(cin);
      let apart = stride * i32(cin);
      let p0 = u32(select(0, place0, in0));
      let p1 = u32(select(0, place0 + apart, in1));
      let p2 = u32(select(0, place0 + 2 * apart, in2));
      let p3 = u32(select(0, place0 + 3 * apart, in3));
      let p4 = u32(select(0, place0 + 4 * apart, in4));
      let p5 = u32(select(0, place0 + 5 * apart, in5));
      let p6 = u32(select(0, place0 + 6 * apart, in6));
      let p7 = u32(select(0, place0 + 7 * apart, in7));
      let tap = (ky * params.kernelWidth + kx) * params.cin * cout;
      for (var c = 0u; c < cin; c = c + 1u) {
        let zero = vec4f();
        let top = transpose(mat4x4f(
          select(zero, vec4f(x[p0 + c]), in0),
          select(zero, vec4f(x[p1 + c]), in1),
          select(zero, vec4f(x[p2 + c]), in2),
          select(zero, vec4f(x[p3 + c]), in3),
        ));
        let low = transpose(mat4x4f(
          select(zero, vec4f(x[p4 + c]), in4),
          select(zero, vec4f(x[p5 + c]), in5),
          select(zero, vec4f(x[p6 + c]), in6),
          select(zero, vec4f(x[p7 + c]), in7),
        ));
        let place = tap + c * params.cout + quad;
        let other = tap + c * params.cout + lastQuad;
        step(&t, top[0], low[0], loadW(place), loadW(other));
        step(&t, top[1], low[1], loadW(place + cout), loadW(other + cout));
        step(&t, top[2], low[2], loadW(place + 2u * cout), loadW(other + 2u * cout));
        step(&t, top[3], low[3], loadW(place + 3u * cout), loadW(other + 3u * cout));
      }
    }
  }
  let run = Run(
    line * params.outWidth + ox,
    DILATION,
    (params.outWidth - ox + DILATION - 1u) / DILATION,
  );
  storeRun(run, quad, t.r0, t.r1, t.r2, t.r3, t.r4, t.r5, t.r6, t.r7);
  if (!NARROW && quad + 1u < cout) {
    storeRun(run, quad + 1u, t.s0, t.s1, t.s2, t.s3, t.s4, t.s5, t.s6, t.s7);
  }
}

// ---- One invocation computes 16 pixels of a row by 16 channels, channel by channel of x: for adapters
// on a CPU, whose loads cost as much as dozens of multiplications, and whose accumulators may as well
// lie in memory. A row has 16 pixels at least, DILATION apart, and cout is 16 at least: the last tiles
// begin within those before, and write what is their own. Loops instead of branches are short code,
// which such drivers compile fast and run best.

// 16 channels of one pixel, and of four.
struct Row { a: vec4f, b: vec4f, c: vec4f, d: vec4f }
struct Rows { a: Row, b: Row, c: Row, d: Row }

fn addRow(sum: Row, left: f32, right: Row) -> Row {
  let factor = vec4f(left);
  return Row(
    fma(factor, right.a, sum.a),
    fma(factor, right.b, sum.b),
    fma(factor, right.c, sum.c),
    fma(factor, right.d, sum.d),
  );
}

fn addRows(sum: Rows, left: vec4f, right: Row) -> Rows {
  return Rows(
    addRow(sum.a, left.x, right),
    addRow(sum.b, left.y, right),
    addRow(sum.c, left.z, right),
    addRow(sum.d, left.w, right),
  );
}

// Four pixels under a tap: where they are, and whether the image has them.
struct Four { at: vec4u, exists: vec4<bool> }

fn four(start: i32, first: i32) -> Four {
  let column = vec4i(first) + vec4i(0, 1, 2, 3) * i32(params.stride);
  let exists = (column >= vec4i()) & (column < vec4i(i32(params.width)));
  let at = select(vec4i(), (vec4i(start) + column) * i32(params.cin), exists);
  return Four(vec4u(at), exists);
}

fn channelOf(pixels: Four, c: u32) -> vec4f {
  let at = pixels.at + c;
  let values = vec4f(
    f32(singles[at.x]),
    f32(singles[at.y]),
    f32(singles[at.z]),
    f32(singles[at.w]),
  );
  return select(vec4f(), values, pixels.exists);
}

fn biasAt(quad: u32) -> Row {
  if (params.hasBias == 0u) {
    return Row();
  }
  return Row(
    bias[quad],
    bias[quad + 1u],
    bias[quad + 2u],
    bias[quad + 3u],
  );
}

// Pixel \`i\` of four times four.
fn rowOf(t0: Rows, t1: Rows, t2: Rows, t3: Rows, i: u32) -> Row {
  var rows = t0;
  if (i >= 4u) {
    rows = t1;
  }
  if (i >= 8u) {
    rows = t2;
  }
  if (i >= 12u) {
    rows = t3;
  }
  var row = rows.a;
  if (i % 4u == 1u) {
    row = rows.b;
  }
  if (i % 4u == 2u) {
    row = rows.c;
  }
  if (i % 4u == 3u) {
    row = rows.d;
  }
  return row;
}

// The last vec4 of a pixel; the first \`skipped\` are another tile's.
fn storePixel(at: u32, skipped: u32, value: Row) {
  if (skipped < 1u) {
    y[at] = vec4<Y>(value.a);
  }
  if (skipped < 2u) {
    y[at + 1u] = vec4<Y>(value.b);
  }
  if (skipped < 3u) {
    y[at + 2u] = vec4<Y>(value.c);
  }
  y[at + 3u] = vec4<Y>(value.d);
}

@compute @workgroup_size(GROUP)
fn wide(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let cout = params.cout / 4u;
  let across = (cout + 3u) / 4u;
  // By the phase with most pixels; where another has fewer, its last tile is computed twice.
  let tiles = ((params.outWidth + DILATION - 1u) / DILATION + 15u) / 16u;
  let last = params.batch * params.outHeight * tiles * DILATION * across - 1u;
  let number = (group.y * groups.x + group.x) * GROUP + lane;
  let id = min(number, last); // an invocation too many stores nothing
  let own = id % across * 4u;
  let quad = min(own, cout - 4u);
  let phase = id / across % DILATION;
  let count = (params.outWidth - phase + DILATION - 1u) / DILATION;
  let ownPixel = id / (across * DILATION) % tiles * 16u;
  let pixel = min(ownPixel, count - 16u);
  let ox = pixel * DILATION + phase;
  let line = id / (across * DILATION * tiles);
  let oy = line % params.outHeight;
  let image = line / params.outHeight;
  let firstKy = (params.topPhase + DILATION - oy % DILATION) % DILATION;
  let firstKx = (params.leftPhase + DILATION - phase) % DILATION;
  let stride = i32(params.stride);
  var t0 = Rows();
  var t1 = Rows();
  var t2 = Rows();
  var t3 = Rows();
  for (var ky = firstKy; ky < params.kernelHeight; ky = ky + DILATION) {
    let iy = (i32(oy * params.stride + ky) - params.top) / i32(DILATION);
    if (!inside(iy, params.height)) {
      continue;
    }
    let start = i32((image * params.height + u32(iy)) * params.width);
    for (var kx = firstKx; kx < params.kernelWidth; kx = kx + DILATION) {
      let ix = (i32(ox * params.stride + kx) - params.left) / i32(DILATION);
      let p0 = four(start, ix);
      let p1 = four(start, ix + 4 * stride);
      let p2 = four(start, ix + 8 * stride);
      let p3 = four(start, ix + 12 * stride);
      let tap = (ky * params.kernelWidth + kx) * params.cin * cout + quad;
      for (var c = 0u; c < params.cin; c = c + 1u) {
        let x0 = channelOf(p0, c);
        let x1 = channelOf(p1, c);
        let x2 = channelOf(p2, c);
        let x3 = channelOf(p3, c);
        let at = tap + c * cout;
        let right = Row(loadW(at), loadW(at + 1u), loadW(at + 2u), loadW(at + 3u));
        t0 = addRows(t0, x0, right);
        t1 = addRows(t1, x1, right);
        t2 = addRows(t2, x2, right);
        t3 = addRows(t3, x3, right);
      }
    }
  }
  let added = biasAt(quad);
  let at = (line * params.outWidth + ox) * cout + quad;
  for (var i = ownPixel - pixel; i < select(16u, 0u, number > last); i = i + 1u) {
    let row = rowOf(t0, t1, t2, t3, i);
    let sum = Row(row.a + added.a, row.b + added.b, row.c + added.c, row.d + added.d);
    storePixel(at + i * DILATION * cout, own - quad, sum);
  }
}

// ---- The invocations of a workgroup share a tile of HEIGHT vec4 of pixels by WIDTH vec4 of channels,
// 16 steps of (ky, kx, cin) at a time, in workgroup memory: for real GPUs. Each computes 4 pixels by 4
// channels, or 8 by 8 as four such blocks half a tile apart, so that neighbours read side by side.

override THREADS: u32 = 128u; // 8 across
override HEIGHT: u32 = 32u;
override WIDTH: u32 = 16u;
// Distance from one step to the next: padded against bank conflicts.
override X_STEP: u32 = HEIGHT + 1u;
override W_STEP: u32 = WIDTH + 1u;
override X_SIZE: u32 = 16u * X_STEP;
override W_SIZE: u32 = 16u * W_STEP;

var<workgroup> tileOfX: array<vec4f, X_SIZE>; // [16 steps, pixels / 4]
var<workgroup> tileOfW: array<vec4f, W_SIZE>; // [16 steps, channels / 4]

// An output pixel: its image's first row in x, and where its first tap lies in the dilated image.
struct Corner { rows: u32, y: i32, x: i32 }

fn cornerOf(pixel: u32) -> Corner {
  let image = pixel / (params.outHeight * params.outWidth);
  let oy = pixel / params.outWidth % params.outHeight;
  let ox = pixel % params.outWidth;
  return Corner(
    min(image, params.batch - 1u) * params.height,
    i32(oy * params.stride) - params.top,
    i32(ox * params.stride) - params.left,
  );
}

// 4 channels of x under a tap; zero in the padding and between dilated pixels.
fn sample(corner: Corner, ky: u32, kx: u32, channel: u32) -> vec4f {
  let dilation = i32(DILATION);
  let sy = corner.y + i32(ky);
  let sx = corner.x + i32(kx);
  let isIn = ky < params.kernelHeight && sy >= 0 && sx >= 0 && sy % dilation == 0 &&
    sx % dilation == 0 && sy / dilation < i32(params.height) && sx / dilation < i32(params.width);
  let row = corner.rows + u32(max(sy, 0) / dilation);
  let place = (row * params.width + u32(max(sx, 0) / dilation)) * (params.cin / 4u) + channel;
  return select(vec4f(), vec4f(x[select(0u, place, isIn)]), isIn);
}

@compute @workgroup_size(THREADS)
fn tiled(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let cin = params.cin / 4u;
  let cout = params.cout / 4u;
  let across = (cout + WIDTH - 1u) / WIDTH;
  let pixels = params.batch * params.outHeight * params.outWidth;
  let id = group.y * groups.x + group.x;
  let column = id % across * WIDTH;
  let first = id / across * HEIGHT * 4u;
  if (first >= pixels) {
    return;
  }
  let steps = params.kernelHeight * params.kernelWidth * params.cin;
  // What this invocation brings of x: 4 pixels at 4 steps.
  let block = lane / 4u;
  let c0 = cornerOf(first + block * 4u);
  let c1 = cornerOf(first + block * 4u + 1u);
  let c2 = cornerOf(first + block * 4u + 2u);
  let c3 = cornerOf(first + block * 4u + 3u);
  let tx = lane % 8u;
  let ty = lane / 8u;
  var t = Tile();
  for (var k = 0u; k < steps; k = k + 16u) {
    if (block < HEIGHT) {
      let quad = k / 4u + lane % 4u;
      let tap = quad / cin;
      let ky = tap / params.kernelWidth;
      let kx = tap % params.kernelWidth;
      let channel = quad % cin;
      let found = transpose(mat4x4f(
        sample(c0, ky, kx, channel),
        sample(c1, ky, kx, channel),
        sample(c2, ky, kx, channel),
        sample(c3, ky, kx, channel),
      ));
      let place = lane % 4u * 4u * X_STEP + block;
      tileOfX[place] = found[0];
      tileOfX[place + X_STEP] = found[1];
      tileOfX[place + 2u * X_STEP] = found[2];
      tileOfX[place + 3u * X_STEP] = found[3];
    }
    for (var i = lane; i < 16u * WIDTH; i = i + THREADS) {
      let down = i / WIDTH;
      let place = min(k + down, steps - 1u) * cout + min(column + i % WIDTH, cout - 1u);
      tileOfW[down * W_STEP + i % WIDTH] = select(vec4f(), loadW(place), k + down < steps);
    }
    workgroupBarrier();
    for (var i = 0u; i < 16u; i = i + 1u) {
      let left = i * X_STEP + ty;
      let right = i * W_STEP + tx;
      let top = tileOfX[left];
      let near = tileOfW[right];
      if (TALL) {
        step(&t, top, tileOfX[left + HEIGHT / 2u], near, tileOfW[right + WIDTH / 2u]);
      } else {
        step(&t, top, vec4f(), near, vec4f());
      }
    }
    workgroupBarrier();
  }
  let pixel = first + ty * 4u;
  storeFour(pixel, pixels, column + tx, t.r0, t.r1, t.r2, t.r3);
  if (TALL) {
    let low = pixel + HEIGHT * 2u;
    let right = column + tx + WIDTH / 2u;
    storeFour(low, pixels, column + tx, t.r4, t.r5, t.r6, t.r7);
    storeFour(pixel, pixels, right, t.s0, t.s1, t.s2, t.s3);
    storeFour(low, pixels, right, t.s4, t.s5, t.s6, t.s7);
  }
}

fn storeFour(pixel: u32, pixels: u32, quad: u32, v0: vec4f, v1: vec4f, v2: vec4f, v3: vec4f) {
  if (quad >= params.cout / 4u || pixel >= pixels) {
    return;
  }
  store(pixel, quad, v0);
  if (pixel + 1u < pixels) {
    store(pixel + 1u, quad, v1);
  }
  if (pixel + 2u < pixels) {
    store(pixel + 2u, quad, v2);
  }
  if (pixel + 3u < pixels) {
    store(pixel + 3u, quad, v3);
  }
}
`,
  conv2d_grad: `// The weight gradient of a convolution.
//
// dw[ky, kx, i, o] = sum over output pixels of x[pixel under the tap, i] dy[pixel, o].
// cin and cout are multiples of 4. The output rows of all images are cut into \`splits\` parts of
// \`chunk\` rows; each part writes its own sum, and they are added afterwards. A sum is one chain of
// fused multiply-adds over the rows and their pixels, in rising order, in every entry.

struct Params {
  batch: u32,
  height: u32,
  width: u32,
  cin: u32,
  outHeight: u32,
  outWidth: u32,
  cout: u32,
  kernelHeight: u32,
  kernelWidth: u32,
  stride: u32,
  top: u32,
  left: u32,
  splits: u32,
  chunk: u32,
}

override NARROW: bool = false; // an invocation computes 4 output channels and not 8

alias X = f32; // as it is stored

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<X>>;
@group(0) @binding(2) var<storage, read> dy: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> sums: array<vec4f>;

fn loadX(at: u32) -> vec4f {
  return vec4f(x[at]);
}

fn loadDy(at: u32) -> vec4f {
  return dy[at];
}

// 8 input channels by 8 output channels, of which the entries below may compute a part.

struct Tile {
  r0: vec4f, r1: vec4f, r2: vec4f, r3: vec4f, r4: vec4f, r5: vec4f, r6: vec4f, r7: vec4f,
  s0: vec4f, s1: vec4f, s2: vec4f, s3: vec4f, s4: vec4f, s5: vec4f, s6: vec4f, s7: vec4f,
}

override TALL: bool = true; // 8 input channels and not 4

fn step(t: ptr<function, Tile>, top: vec4f, low: vec4f, left: vec4f, right: vec4f) {
  (*t).r0 = fma(vec4f(top.x), left, (*t).r0);
  (*t).r1 = fma(vec4f(top.y), left, (*t).r1);
  (*t).r2 = fma(vec4f(top.z), left, (*t).r2);
  (*t).r3 = fma(vec4f(top.w), left, (*t).r3);
  if (TALL) {
    (*t).r4 = fma(vec4f(low.x), left, (*t).r4);
    (*t).r5 = fma(vec4f(low.y), left, (*t).r5);
    (*t).r6 = fma(vec4f(low.z), left, (*t).r6);
    (*t).r7 = fma(vec4f(low.w), left, (*t).r7);
  }
  if (!NARROW) {
    (*t).s0 = fma(vec4f(top.x), right, (*t).s0);
    (*t).s1 = fma(vec4f(top.y), right, (*t).s1);
    (*t).s2 = fma(vec4f(top.z), right, (*t).s2);
    (*t).s3 = fma(vec4f(top.w), right, (*t).s3);
    if (TALL) {
      (*t).s4 = fma(vec4f(low.x), right, (*t).s4);
      (*t).s5 = fma(vec4f(low.y), right, (*t).s5);
      (*t).s6 = fma(vec4f(low.z), right, (*t).s6);
      (*t).s7 = fma(vec4f(low.w), right, (*t).s7);
    }
  }
}

fn store(row: u32, quad: u32, value: vec4f) {
  sums[row * (params.cout / 4u) + quad] = value;
}

// The output columns \`begin\` up to \`end\` whose tap lies inside the image.
fn reach(kx: u32) -> vec2u {
  let ahead = params.left + params.stride - 1u;
  let begin = select(0u, (ahead - kx) / params.stride, ahead > kx);
  let right = params.width + params.left;
  let end = select(0u, (right - kx - 1u) / params.stride + 1u, right > kx);
  return vec2u(begin, min(end, params.outWidth));
}

// ---- One invocation computes 8 by 8 channels of one tap in registers: for few channels on a CPU, and
// where workgroup memory does not pay.

// Adds what column \`ox\` contributes: nothing where it is \`end\` or later.
fn add(
  t: ptr<function, Tile>,
  source: u32,
  sink: u32,
  ox: u32,
  end: u32,
  channel: u32,
  lastChannel: u32,
  quad: u32,
  lastQuad: u32,
) {
  let column = min(ox, end - 1u);
  let sourcePlace = (source + column * params.stride) * (params.cin / 4u);
  let sinkPlace = (sink + column) * (params.cout / 4u);
  step(
    t,
    select(vec4f(), loadX(sourcePlace + channel), ox < end),
    select(vec4f(), loadX(sourcePlace + lastChannel), ox < end),
    loadDy(sinkPlace + quad),
    loadDy(sinkPlace + lastQuad),
  );
}

override GROUP: u32 = 16u;

@compute @workgroup_size(GROUP)
fn registers(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let cin = params.cin / 4u;
  let cout = params.cout / 4u;
  let across = (cout + 1u) / 2u;
  let down = (cin + 1u) / 2u;
  let taps = params.kernelHeight * params.kernelWidth;
  let id = (group.y * groups.x + group.x) * GROUP + lane;
  let quad = id % across * 2u;
  let channel = id / across % down * 2u;
  let tap = id / (across * down) % taps;
  let split = id / (across * down * taps);
  if (split >= params.splits) {
    return;
  }
  let ky = tap / params.kernelWidth;
  let kx = tap % params.kernelWidth;
  let lastQuad = min(quad + 1u, cout - 1u);
  let lastChannel = min(channel + 1u, cin - 1u);
  let columns = reach(kx);
  let lines = min((split + 1u) * params.chunk, params.batch * params.outHeight);
  var t = Tile();
  for (var line = split * params.chunk; line < lines; line = line + 1u) {
    let sy = line % params.outHeight * params.stride + ky;
    if (sy < params.top || sy >= params.top + params.height) {
      continue;
    }
    let source = (line / params.outHeight * params.height + sy - params.top) * params.width + kx -
      params.left;
    let sink = line * params.outWidth;
    for (var ox = columns.x; ox < columns.y; ox = ox + 4u) {
      add(&t, source, sink, ox, columns.y, channel, lastChannel, quad, lastQuad);
      add(&t, source, sink, ox + 1u, columns.y, channel, lastChannel, quad, lastQuad);
      add(&t, source, sink, ox + 2u, columns.y, channel, lastChannel, quad, lastQuad);
      add(&t, source, sink, ox + 3u, columns.y, channel, lastChannel, quad, lastQuad);
    }
  }
  let row = (split * taps + tap) * params.cin + channel * 4u;
  store(row, quad, t.r0);
  store(row + 1u, quad, t.r1);
  store(row + 2u, quad, t.r2);
  store(row + 3u, quad, t.r3);
  if (channel + 1u < cin) {
    store(row + 4u, quad, t.r4);
    store(row + 5u, quad, t.r5);
    store(row + 6u, quad, t.r6);
    store(row + 7u, quad, t.r7);
  }
  if (!NARROW && quad + 1u < cout) {
    store(row, quad + 1u, t.s0);
    store(row + 1u, quad + 1u, t.s1);
    store(row + 2u, quad + 1u, t.s2);
    store(row + 3u, quad + 1u, t.s3);
    if (channel + 1u < cin) {
      store(row + 4u, quad + 1u, t.s4);
      store(row + 5u, quad + 1u, t.s5);
      store(row + 6u, quad + 1u, t.s6);
      store(row + 7u, quad + 1u, t.s7);
    }
  }
}

// ---- One invocation computes 16 by 16 channels of one tap, pixel by pixel: for adapters on a CPU, as
// the wide tiles of conv2d.wgsl. There are 16 input and 16 output channels at least.

struct Row { a: vec4f, b: vec4f, c: vec4f, d: vec4f }
struct Rows { a: Row, b: Row, c: Row, d: Row }

fn addRow(sum: Row, left: f32, right: Row) -> Row {
  let factor = vec4f(left);
  return Row(
    fma(factor, right.a, sum.a),
    fma(factor, right.b, sum.b),
    fma(factor, right.c, sum.c),
    fma(factor, right.d, sum.d),
  );
}

fn addRows(sum: Rows, left: vec4f, right: Row) -> Rows {
  return Rows(
    addRow(sum.a, left.x, right),
    addRow(sum.b, left.y, right),
    addRow(sum.c, left.z, right),
    addRow(sum.d, left.w, right),
  );
}

// Input channel \`i\` of four times four.
fn rowOf(t0: Rows, t1: Rows, t2: Rows, t3: Rows, i: u32) -> Row {
  var rows = t0;
  if (i >= 4u) {
    rows = t1;
  }
  if (i >= 8u) {
    rows = t2;
  }
  if (i >= 12u) {
    rows = t3;
  }
  var row = rows.a;
  if (i % 4u == 1u) {
    row = rows.b;
  }
  if (i % 4u == 2u) {
    row = rows.c;
  }
  if (i % 4u == 3u) {
    row = rows.d;
  }
  return row;
}

// The last vec4 of a row; the first \`skipped\` are another tile's.
fn storeRow(at: u32, skipped: u32, value: Row) {
  if (skipped < 1u) {
    sums[at] = value.a;
  }
  if (skipped < 2u) {
    sums[at + 1u] = value.b;
  }
  if (skipped < 3u) {
    sums[at + 2u] = value.c;
  }
  sums[at + 3u] = value.d;
}

@compute @workgroup_size(GROUP)
fn wide(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let cin = params.cin / 4u;
  let cout = params.cout / 4u;
  let across = (cout + 3u) / 4u;
  let down = (cin + 3u) / 4u;
  let taps = params.kernelHeight * params.kernelWidth;
  let last = across * down * taps * params.splits - 1u;
  let number = (group.y * groups.x + group.x) * GROUP + lane;
  let id = min(number, last); // an invocation too many stores nothing
  let ownQuad = id % across * 4u;
  let quad = min(ownQuad, cout - 4u);
  let ownChannel = id / across % down * 4u;
  let channel = min(ownChannel, cin - 4u);
  let tap = id / (across * down) % taps;
  let split = id / (across * down * taps);
  let ky = tap / params.kernelWidth;
  let kx = tap % params.kernelWidth;
  let columns = reach(kx);
  let lines = min((split + 1u) * params.chunk, params.batch * params.outHeight);
  var t0 = Rows();
  var t1 = Rows();
  var t2 = Rows();
  var t3 = Rows();
  for (var line = split * params.chunk; line < lines; line = line + 1u) {
    let sy = line % params.outHeight * params.stride + ky;
    let isIn = sy >= params.top && sy < params.top + params.height;
    let source = (line / params.outHeight * params.height + sy - params.top) * params.width + kx -
      params.left;
    let sink = line * params.outWidth;
    for (var ox = columns.x; ox < select(0u, columns.y, isIn); ox = ox + 1u) {
      let i = (source + ox * params.stride) * cin + channel;
      let x0 = loadX(i);
      let x1 = loadX(i + 1u);
      let x2 = loadX(i + 2u);
      let x3 = loadX(i + 3u);
      let j = (sink + ox) * cout + quad;
      let right = Row(loadDy(j), loadDy(j + 1u), loadDy(j + 2u), loadDy(j + 3u));
      t0 = addRows(t0, x0, right);
      t1 = addRows(t1, x1, right);
      t2 = addRows(t2, x2, right);
      t3 = addRows(t3, x3, right);
    }
  }
  let at = ((split * taps + tap) * params.cin + channel * 4u) * cout + quad;
  for (var i = (ownChannel - channel) * 4u; i < select(16u, 0u, number > last); i = i + 1u) {
    storeRow(at + i * cout, ownQuad - quad, rowOf(t0, t1, t2, t3, i));
  }
}

// ---- The invocations of a workgroup share a tile of HEIGHT by WIDTH vec4 of channels of one tap, 16
// output pixels at a time, in workgroup memory: for real GPUs. Each computes 4 by 4 channels, or 8 by 8
// as four such blocks half a tile apart, so that neighbours read side by side.

override THREADS: u32 = 128u; // 8 across
override HEIGHT: u32 = 32u;
override WIDTH: u32 = 16u;
override X_SIZE: u32 = 16u * HEIGHT;
override DY_SIZE: u32 = 16u * WIDTH;

var<workgroup> tileOfX: array<vec4f, X_SIZE>; // [16 pixels, channels / 4]
var<workgroup> tileOfDy: array<vec4f, DY_SIZE>;

fn fillX(tap: u32, channel: u32, pixel: u32, end: u32, lane: u32) {
  let cin = params.cin / 4u;
  for (var i = lane; i < 16u * HEIGHT; i = i + THREADS) {
    let at = pixel + i / HEIGHT;
    let line = at / params.outWidth;
    let sy = line % params.outHeight * params.stride + tap / params.kernelWidth;
    let sx = at % params.outWidth * params.stride + tap % params.kernelWidth;
    let isIn = at < end && sy >= params.top && sy < params.top + params.height &&
      sx >= params.left && sx < params.left + params.width;
    let row = line / params.outHeight * params.height + sy - params.top;
    let place = (row * params.width + sx - params.left) * cin + min(channel + i % HEIGHT, cin - 1u);
    tileOfX[i] = select(vec4f(), loadX(select(0u, place, isIn)), isIn);
  }
}

fn fillDy(quad: u32, pixel: u32, end: u32, lane: u32) {
  let cout = params.cout / 4u;
  for (var i = lane; i < 16u * WIDTH; i = i + THREADS) {
    let at = pixel + i / WIDTH;
    let place = min(at, end - 1u) * cout + min(quad + i % WIDTH, cout - 1u);
    tileOfDy[i] = select(vec4f(), loadDy(place), at < end);
  }
}

@compute @workgroup_size(THREADS)
fn tiled(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let across = (params.cout / 4u + WIDTH - 1u) / WIDTH;
  let down = (params.cin / 4u + HEIGHT - 1u) / HEIGHT;
  let taps = params.kernelHeight * params.kernelWidth;
  let id = group.y * groups.x + group.x;
  let split = id / (across * down * taps);
  if (split >= params.splits) {
    return;
  }
  let tap = id / (across * down) % taps;
  let firstQuad = id % across * WIDTH;
  let firstChannel = id / across % down * HEIGHT;
  let lines = min((split + 1u) * params.chunk, params.batch * params.outHeight);
  let end = lines * params.outWidth;
  let tx = lane % 8u;
  let ty = lane / 8u;
  var t = Tile();
  for (var pixel = split * params.chunk * params.outWidth; pixel < end; pixel = pixel + 16u) {
    fillX(tap, firstChannel, pixel, end, lane);
    fillDy(firstQuad, pixel, end, lane);
    workgroupBarrier();
    for (var i = 0u; i < 16u; i = i + 1u) {
      let left = i * HEIGHT + ty;
      let right = i * WIDTH + tx;
      let top = tileOfX[left];
      let near = tileOfDy[right];
      if (TALL) {
        step(&t, top, tileOfX[left + HEIGHT / 2u], near, tileOfDy[right + WIDTH / 2u]);
      } else {
        step(&t, top, vec4f(), near, vec4f());
      }
    }
    workgroupBarrier();
  }
  let base = (split * taps + tap) * params.cin;
  let channel = firstChannel + ty;
  let quad = firstQuad + tx;
  storeFour(base, channel, quad, t.r0, t.r1, t.r2, t.r3);
  if (TALL) {
    let low = channel + HEIGHT / 2u;
    let right = quad + WIDTH / 2u;
    storeFour(base, low, quad, t.r4, t.r5, t.r6, t.r7);
    storeFour(base, channel, right, t.s0, t.s1, t.s2, t.s3);
    storeFour(base, low, right, t.s4, t.s5, t.s6, t.s7);
  }
}

fn storeFour(base: u32, channel: u32, quad: u32, v0: vec4f, v1: vec4f, v2: vec4f, v3: vec4f) {
  if (channel >= params.cin / 4u || quad >= params.cout / 4u) {
    return;
  }
  let row = base + channel * 4u;
  store(row, quad, v0);
  store(row + 1u, quad, v1);
  store(row + 2u, quad, v2);
  store(row + 3u, quad, v3);
}
`,
  copy: `// Strided copies. Elements are moved as u32, so that floats and integers keep their bits; those of f16
// as what they are.
//
// \`take\` walks the output and reads from strided places, \`place\` walks the input and writes to them;
// the entries on quads do the same where quads of four elements stay together. Those on spread quads do
// where rows of the walk are whole quads, but lie apart on the other side: a quad finds its place once.

override RANK: u32 = 6u; // axes of the walk, from the innermost (d0) outwards

// d: the walked axes; s: strides on the other side; base: the offset there of the walk's beginning.
// The entries on quads count all of them in quads.
struct Params {
  size: u32,
  base: u32,
  d0: u32, d1: u32, d2: u32, d3: u32, d4: u32, d5: u32,
  s0: u32, s1: u32, s2: u32, s3: u32, s4: u32, s5: u32,
}

alias Element = u32; // as both sides are stored

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x_words: array<Element>;
@group(0) @binding(2) var<storage, read_write> y_words: array<Element>;
@group(0) @binding(3) var<storage, read> x_quads: array<vec4<Element>>;
@group(0) @binding(4) var<storage, read_write> y_quads: array<vec4<Element>>;

fn offset(i: u32) -> u32 {
  var rest = i;
  var at = params.base;
  if (RANK > 1u) {
    let next = rest / params.d0;
    at += (rest - next * params.d0) * params.s0;
    rest = next;
  } else {
    at += rest * params.s0;
  }
  if (RANK > 2u) {
    let next = rest / params.d1;
    at += (rest - next * params.d1) * params.s1;
    rest = next;
  } else if (RANK == 2u) {
    at += rest * params.s1;
  }
  if (RANK > 3u) {
    let next = rest / params.d2;
    at += (rest - next * params.d2) * params.s2;
    rest = next;
  } else if (RANK == 3u) {
    at += rest * params.s2;
  }
  if (RANK > 4u) {
    let next = rest / params.d3;
    at += (rest - next * params.d3) * params.s3;
    rest = next;
  } else if (RANK == 4u) {
    at += rest * params.s3;
  }
  if (RANK > 5u) {
    let next = rest / params.d4;
    at += (rest - next * params.d4) * params.s4;
    at += next * params.s5;
  } else if (RANK == 5u) {
    at += rest * params.s4;
  }
  return at;
}

// Four outputs a thread: the last quad of any tensor exists, since buffers are multiples of 256 bytes.
@compute @workgroup_size(64)
fn take(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (4u * i < params.size) {
    y_quads[i] = vec4<Element>(
      x_words[offset(4u * i)],
      x_words[offset(4u * i + 1u)],
      x_words[offset(4u * i + 2u)],
      x_words[offset(4u * i + 3u)],
    );
  }
}

@compute @workgroup_size(64)
fn take_spread(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (4u * i < params.size) {
    let at = offset(4u * i);
    let step = params.s0;
    y_quads[i] = vec4<Element>(
      x_words[at],
      x_words[at + step],
      x_words[at + 2u * step],
      x_words[at + 3u * step],
    );
  }
}

@compute @workgroup_size(64)
fn take_quads(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i < params.size) {
    y_quads[i] = x_quads[offset(i)];
  }
}

@compute @workgroup_size(64)
fn place(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i < params.size) {
    y_words[offset(i)] = x_words[i];
  }
}

@compute @workgroup_size(64)
fn place_spread(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (4u * i < params.size) {
    let at = offset(4u * i);
    let step = params.s0;
    let quad = x_quads[i];
    y_words[at] = quad.x;
    y_words[at + step] = quad.y;
    y_words[at + 2u * step] = quad.z;
    y_words[at + 3u * step] = quad.w;
  }
}

@compute @workgroup_size(64)
fn place_quads(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i < params.size) {
    y_quads[offset(i)] = x_quads[i];
  }
}
`,
  crop: `// A window of images [images, height, width, channels] whose place is read from the GPU, or other images
// in its stead; and the gradients of both.

struct Params {
  size: u32, // threads
  height: u32,
  width: u32,
  channels: u32,
  out_height: u32,
  out_width: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> draw: array<u32>; // whether it is the window; its top, its left
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read> other: array<f32>;
@group(0) @binding(4) var<storage, read> dy: array<f32>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;

// The window's rows and columns that are not there are the image's last ones.
fn corner() -> vec2u {
  return min(
    vec2u(draw[1], draw[2]),
    vec2u(params.height - params.out_height, params.width - params.out_width),
  );
}

@compute @workgroup_size(64)
fn forward(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let i = (group.y * groups.x + group.x) * 64u + thread;
  if (i >= params.size) {
    return;
  }
  if (draw[0] == 0u) {
    y[i] = other[i];
    return;
  }
  let pixel = i / params.channels;
  let line = pixel / params.out_width;
  let place = corner() + vec2u(line % params.out_height, pixel % params.out_width);
  let image = line / params.out_height;
  let source = (image * params.height + place.x) * params.width + place.y;
  y[i] = x[source * params.channels + i % params.channels];
}

@compute @workgroup_size(64)
fn window_grad(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let i = (group.y * groups.x + group.x) * 64u + thread;
  if (i >= params.size) {
    return;
  }
  let pixel = i / params.channels;
  let line = pixel / params.width;
  let place = vec2u(line % params.height, pixel % params.width);
  let first = corner();
  let inside = all(place >= first) && all(place < first + vec2u(params.out_height, params.out_width));
  var gradient = 0.0;
  if (draw[0] != 0u && inside) {
    let at = place - first;
    let image = line / params.height;
    let target_pixel = (image * params.out_height + at.x) * params.out_width + at.y;
    gradient = dy[target_pixel * params.channels + i % params.channels];
  }
  y[i] = gradient;
}

@compute @workgroup_size(64)
fn other_grad(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let i = (group.y * groups.x + group.x) * 64u + thread;
  if (i >= params.size) {
    return;
  }
  var gradient = dy[i];
  if (draw[0] != 0u) {
    gradient = 0.0;
  }
  y[i] = gradient;
}
`,
  ema: `// Exponential moving average: average = ratio * average + rest * value, in place.

struct Params { size: u32, ratio: f32, rest: f32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> value: array<f32>;
@group(0) @binding(2) var<storage, read_write> average: array<f32>;

@compute @workgroup_size(64)
fn update(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i < params.size) {
    average[i] = params.ratio * average[i] + params.rest * value[i];
  }
}
`,
  fill: `// Sets every element to one value.
// Buffers are whole multiples of 256 bytes, so the last quad may reach past the tensor's end.

struct Params { size: u32, value: f32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;

@compute @workgroup_size(64)
fn fill(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i * 4u < params.size) {
    y[i] = vec4f(params.value);
  }
}
`,
  fit: `// Copies matrices into others with more or fewer rows and columns: zeros where the source has none.
// With \`flip\`, a stack of matrices is read from the last to the first and each one transposed; \`flip4\`
// does the same where all extents are multiples of 4.

struct Params {
  count: u32,
  rows: u32,
  columns: u32,
  toRows: u32,
  toColumns: u32,
  flip: u32,
}

alias Element = f32; // as both are stored

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<Element>;
@group(0) @binding(2) var<storage, read_write> y: array<Element>;
@group(0) @binding(3) var<storage, read> x_quads: array<vec4<Element>>;
@group(0) @binding(4) var<storage, read_write> y_quads: array<vec4<Element>>;

@compute @workgroup_size(64)
fn fit(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  let area = params.toRows * params.toColumns;
  if (i >= params.count * area) {
    return;
  }
  let down = i / params.toColumns % params.toRows;
  let across = i % params.toColumns;
  let isFlipped = params.flip == 1u;
  let matrix = select(i / area, params.count - 1u - i / area, isFlipped);
  let row = select(down, across, isFlipped);
  let column = select(across, down, isFlipped);
  var value = Element();
  if (row < params.rows && column < params.columns) {
    value = x[(matrix * params.rows + row) * params.columns + column];
  }
  y[i] = value;
}

// One invocation turns a block of 4 by 4, sixteen neighbours one of 16 by 16: whole lines of a cache on
// both sides.
@compute @workgroup_size(64)
fn flip4(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let id = (group.y * groups.x + group.x) * 64u + lane;
  let height = params.toRows / 4u; // of y, in blocks
  let width = params.toColumns / 4u;
  let across = (width + 3u) / 4u; // blocks of 16 by 16
  let squares = (height + 3u) / 4u * across;
  let square = id / 16u;
  let matrix = square / squares;
  let row = square % squares / across * 4u + id % 4u;
  let column = square % across * 4u + id / 4u % 4u;
  if (matrix >= params.count || row >= height || column >= width) {
    return;
  }
  var a = vec4<Element>();
  var b = vec4<Element>();
  var c = vec4<Element>();
  var d = vec4<Element>();
  if (column * 4u < params.rows && row * 4u < params.columns) {
    let apart = params.columns / 4u;
    let at = ((params.count - 1u - matrix) * params.rows + column * 4u) * apart + row;
    a = x_quads[at];
    b = x_quads[at + apart];
    c = x_quads[at + 2u * apart];
    d = x_quads[at + 3u * apart];
  }
  let to = (matrix * params.toRows + row * 4u) * width + column;
  y_quads[to] = vec4<Element>(a.x, b.x, c.x, d.x);
  y_quads[to + width] = vec4<Element>(a.y, b.y, c.y, d.y);
  y_quads[to + 2u * width] = vec4<Element>(a.z, b.z, c.z, d.z);
  y_quads[to + 3u * width] = vec4<Element>(a.w, b.w, c.w, d.w);
}
`,
  gather: `// Rows of a table by index. An index past the end reads the last row.

// items: threads; channels: in quads for \`quads\`.
struct Params { items: u32, rows: u32, channels: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> indices: array<u32>;
@group(0) @binding(2) var<storage, read> from_scalars: array<f32>;
@group(0) @binding(3) var<storage, read> from_quads: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> to_scalars: array<f32>;
@group(0) @binding(5) var<storage, read_write> to_quads: array<vec4f>;

fn source(i: u32) -> u32 {
  let row = min(indices[i / params.channels], params.rows - 1u);
  return row * params.channels + i % params.channels;
}

@compute @workgroup_size(64)
fn scalars(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i < params.items) {
    to_scalars[i] = from_scalars[source(i)];
  }
}

@compute @workgroup_size(64)
fn quads(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i < params.items) {
    to_quads[i] = from_quads[source(i)];
  }
}
`,
  gradients: `// Work on up to seven gradients at once, a block of 1024 neighbours of one of them a workgroup: their
// squares for the norm of all, in fixed order, or a copy of them as they lie on a page.

// n: the elements of each; first: where the dispatch's blocks begin among all of them.
struct Params {
  n0: u32, n1: u32, n2: u32, n3: u32, n4: u32, n5: u32, n6: u32,
  first: u32,
  count: u32,
  max_norm: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x0: array<f32>;
@group(0) @binding(2) var<storage, read> x1: array<f32>;
@group(0) @binding(3) var<storage, read> x2: array<f32>;
@group(0) @binding(4) var<storage, read> x3: array<f32>;
@group(0) @binding(5) var<storage, read> x4: array<f32>;
@group(0) @binding(6) var<storage, read> x5: array<f32>;
@group(0) @binding(7) var<storage, read> x6: array<f32>;
@group(0) @binding(8) var<storage, read_write> partial: array<f32>;
@group(0) @binding(9) var<storage, read_write> page: array<f32>;
@group(0) @binding(10) var<storage, read> sums: array<f32>;
@group(0) @binding(11) var<storage, read_write> norm: array<f32>;
@group(0) @binding(12) var<storage, read_write> coefficient: array<f32>;

const BLOCK = 1024u;

var<workgroup> part: array<f32, 64>;

// Which gradient a block belongs to (7: none), where in it the block begins, and how long it is.
struct Place { source: u32, begin: u32, size: u32 }

fn blocks(size: u32) -> u32 {
  return (size + BLOCK - 1u) / BLOCK;
}

fn locate(index: u32) -> Place {
  var block = index;
  if (block < blocks(params.n0)) { return Place(0u, block * BLOCK, params.n0); }
  block -= blocks(params.n0);
  if (block < blocks(params.n1)) { return Place(1u, block * BLOCK, params.n1); }
  block -= blocks(params.n1);
  if (block < blocks(params.n2)) { return Place(2u, block * BLOCK, params.n2); }
  block -= blocks(params.n2);
  if (block < blocks(params.n3)) { return Place(3u, block * BLOCK, params.n3); }
  block -= blocks(params.n3);
  if (block < blocks(params.n4)) { return Place(4u, block * BLOCK, params.n4); }
  block -= blocks(params.n4);
  if (block < blocks(params.n5)) { return Place(5u, block * BLOCK, params.n5); }
  block -= blocks(params.n5);
  if (block < blocks(params.n6)) { return Place(6u, block * BLOCK, params.n6); }
  return Place(7u, 0u, 0u);
}

fn element(source: u32, i: u32) -> f32 {
  switch source {
    case 0u: { return x0[i]; }
    case 1u: { return x1[i]; }
    case 2u: { return x2[i]; }
    case 3u: { return x3[i]; }
    case 4u: { return x4[i]; }
    case 5u: { return x5[i]; }
    default: { return x6[i]; }
  }
}

// Leaves the total of the 64 lanes' parts in part[0].
fn join(lane: u32) {
  workgroupBarrier();
  for (var half = 32u; half > 0u; half >>= 1u) {
    if (lane < half) {
      part[lane] += part[lane + half];
    }
    workgroupBarrier();
  }
}

@compute @workgroup_size(64)
fn squares(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let block = group.y * groups.x + group.x;
  let place = locate(block);
  let last = min(place.size, place.begin + BLOCK);
  var total = 0.0;
  for (var i = place.begin + lane; i < last; i += 64u) {
    let x = element(place.source, i);
    total += x * x;
  }
  part[lane] = total;
  join(lane);
  if (lane == 0u && place.source < 7u) {
    partial[params.first + block] = part[0];
  }
}

@compute @workgroup_size(64)
fn finish(@builtin(local_invocation_index) lane: u32) {
  var total = 0.0;
  for (var i = lane; i < params.count; i += 64u) {
    total += sums[i];
  }
  part[lane] = total;
  join(lane);
  if (lane == 0u) {
    norm[0] = sqrt(part[0]);
    coefficient[0] = min(1.0, params.max_norm / (norm[0] + 1e-6));
  }
}

// Zeros follow a gradient up to its next block.
@compute @workgroup_size(64)
fn lay(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let block = group.y * groups.x + group.x;
  let place = locate(block);
  if (place.source == 7u) {
    return;
  }
  for (var i = lane; i < BLOCK; i += 64u) {
    var x = 0.0;
    if (place.begin + i < place.size) {
      x = element(place.source, place.begin + i);
    }
    page[(params.first + block) * BLOCK + i] = x;
  }
}
`,
  group_norm: `// Group normalisation over [images, pixels, channels], optionally followed by SiLU.
//
// Statistics come in two steps. \`moments\` gives each channel of each chunk of pixels its mean and its
// sum of squared deviations, shifted by the chunk's first value, so that a large mean costs no digits
// (for n values the relative error of the second is at most about n times that of one float).
// \`statistics\` joins them per group around the group's mean (Chan, Golub & LeVeque 1979). Chunks
// depend on the shape of one image only.

struct Params {
  images: u32,
  pixels: u32,
  channels: u32,
  groups: u32,
  chunk: u32, // pixels a chunk
  chunks: u32,
  strip: u32, // pixels a thread of the elementwise entries
  strips: u32,
  eps: f32,
}

override SILU: bool = false;
override GROUP: u32 = 64u;

alias Input = f32; // as they are stored
alias Output = f32;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<Input>;
@group(0) @binding(2) var<storage, read> gamma: array<f32>;
@group(0) @binding(3) var<storage, read> beta: array<f32>;
@group(0) @binding(4) var<storage, read> dy: array<f32>;
@group(0) @binding(5) var<storage, read> mean: array<f32>; // [images, groups]
@group(0) @binding(6) var<storage, read> variance: array<f32>;
@group(0) @binding(7) var<storage, read> chunk_means: array<f32>; // [images, chunks, channels]
@group(0) @binding(8) var<storage, read> chunk_squares: array<f32>;
@group(0) @binding(9) var<storage, read> sums: array<f32>; // [images, channels]: Σ dz
@group(0) @binding(10) var<storage, read> products: array<f32>; // Σ dz·x̂
@group(0) @binding(11) var<storage, read> terms: array<f32>; // [images, groups, 2]
@group(0) @binding(12) var<storage, read_write> output: array<Output>;
@group(0) @binding(13) var<storage, read_write> mean_out: array<f32>;
@group(0) @binding(14) var<storage, read_write> variance_out: array<f32>;
@group(0) @binding(15) var<storage, read_write> first_out: array<f32>;
@group(0) @binding(16) var<storage, read_write> second_out: array<f32>;
@group(0) @binding(17) var<storage, read_write> terms_out: array<f32>;
@group(0) @binding(18) var<storage, read> input4: array<vec4<Input>>;
@group(0) @binding(19) var<storage, read> dy4: array<vec4f>;
@group(0) @binding(20) var<storage, read_write> output4: array<vec4<Output>>;
@group(0) @binding(21) var<storage, read_write> first4_out: array<vec4f>;
@group(0) @binding(22) var<storage, read_write> second4_out: array<vec4f>;

struct Span { image: u32, channel: u32, first: u32, count: u32 }

// The part of a channel that thread \`i\` works on: pixels split into \`parts\` of \`length\`.
fn span(i: u32, length: u32, parts: u32) -> Span {
  return span_of(i, length, parts, params.channels);
}

// The same where a pixel is \`lanes\` channels, or vectors of channels.
fn span_of(i: u32, length: u32, parts: u32, lanes: u32) -> Span {
  let channel = i % lanes;
  let part = (i / lanes) % parts;
  let image = i / (lanes * parts);
  let pixel = part * length;
  let first = (image * params.pixels + pixel) * lanes + channel;
  return Span(image, channel, first, min(length, params.pixels - pixel));
}

fn group_of(image: u32, channel: u32) -> u32 {
  return image * params.groups + channel / (params.channels / params.groups);
}

fn groups_of(image: u32, channels: vec4u) -> vec4u {
  return image * params.groups + channels / (params.channels / params.groups);
}

@compute @workgroup_size(64)
fn moments(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i >= params.images * params.chunks * params.channels) {
    return;
  }
  let s = span(i, params.chunk, params.chunks);
  let step = params.channels;
  let shift = f32(input[s.first]);
  var total = 0.0;
  var squares = 0.0;
  var at = s.first;
  for (var n = s.count / 4u; n > 0u; n--) {
    let a = f32(input[at]) - shift;
    let b = f32(input[at + step]) - shift;
    let c = f32(input[at + 2u * step]) - shift;
    let d = f32(input[at + 3u * step]) - shift;
    total += (a + b) + (c + d);
    squares += (a * a + b * b) + (c * c + d * d);
    at += 4u * step;
  }
  for (var n = s.count % 4u; n > 0u; n--) {
    let a = f32(input[at]) - shift;
    total += a;
    squares += a * a;
    at += step;
  }
  let average = total / f32(s.count);
  first_out[i] = shift + average;
  second_out[i] = max(squares - total * average, 0.0);
}

// The same for four channels at once.
@compute @workgroup_size(64)
fn moments4(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  let step = params.channels / 4u;
  if (i >= params.images * params.chunks * step) {
    return;
  }
  let s = span_of(i, params.chunk, params.chunks, step);
  let shift = vec4f(input4[s.first]);
  var total = vec4f();
  var squares = vec4f();
  var at = s.first;
  for (var n = s.count / 4u; n > 0u; n--) {
    let a = vec4f(input4[at]) - shift;
    let b = vec4f(input4[at + step]) - shift;
    let c = vec4f(input4[at + 2u * step]) - shift;
    let d = vec4f(input4[at + 3u * step]) - shift;
    total += (a + b) + (c + d);
    squares += (a * a + b * b) + (c * c + d * d);
    at += 4u * step;
  }
  for (var n = s.count % 4u; n > 0u; n--) {
    let a = vec4f(input4[at]) - shift;
    total += a;
    squares += a * a;
    at += step;
  }
  let average = total / f32(s.count);
  first4_out[i] = shift + average;
  second4_out[i] = max(squares - total * average, vec4f());
}

var<workgroup> part: array<f32, GROUP>;

// The sum over the workgroup, in the order of a binary tree.
fn total_of(value: f32, lane: u32) -> f32 {
  part[lane] = value;
  workgroupBarrier();
  for (var half = GROUP / 2u; half > 0u; half >>= 1u) {
    if (lane < half) {
      part[lane] += part[lane + half];
    }
    workgroupBarrier();
  }
  let total = part[0];
  workgroupBarrier();
  return total;
}

struct Item { index: u32, count: f32 }

// Chunk and channel number \`i\` of a group: where its moments are, and of how many values.
fn item(i: u32, group: u32) -> Item {
  let width = params.channels / params.groups;
  let chunk = i / width;
  let image = group / params.groups;
  let channel = (group % params.groups) * width + i % width;
  let index = (image * params.chunks + chunk) * params.channels + channel;
  return Item(index, f32(min(params.chunk, params.pixels - chunk * params.chunk)));
}

@compute @workgroup_size(GROUP)
fn statistics(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let g = min(group.y * groups.x + group.x, params.images * params.groups - 1u);
  let width = params.channels / params.groups;
  let items = width * params.chunks;
  let size = f32(width) * f32(params.pixels);
  let shift = chunk_means[item(0u, g).index];
  var first = 0.0;
  for (var i = lane; i < items; i += GROUP) {
    let it = item(i, g);
    first += it.count * (chunk_means[it.index] - shift);
  }
  let average = shift + total_of(first, lane) / size;
  var second = 0.0;
  for (var i = lane; i < items; i += GROUP) {
    let it = item(i, g);
    let off = chunk_means[it.index] - average;
    second += chunk_squares[it.index] + it.count * off * off;
  }
  let deviation = total_of(second, lane) / size;
  if (lane == 0u) {
    mean_out[g] = average;
    variance_out[g] = deviation;
  }
}

// 1 / (1 + e^-z) without overflow.
fn sigmoid(z: vec4f) -> vec4f {
  let e = exp(-abs(z));
  return select(e, vec4f(1.0), z >= vec4f()) / (1.0 + e);
}

fn activate(z: vec4f) -> vec4f {
  if (SILU) {
    return z * sigmoid(z);
  }
  return z;
}

// The cotangent of the pre-activation z, from that of the output.
fn before_activation(z: vec4f, cotangent: vec4f) -> vec4f {
  if (SILU) {
    let s = sigmoid(z);
    return cotangent * s * (1.0 + z * (1.0 - s));
  }
  return cotangent;
}

// What four channels of an image are normalised by.
struct Scales { mean: vec4f, inverse: vec4f, weight: vec4f, bias: vec4f }

fn scales_of(g: vec4u, c: vec4u) -> Scales {
  let spread = vec4f(variance[g.x], variance[g.y], variance[g.z], variance[g.w]);
  return Scales(
    vec4f(mean[g.x], mean[g.y], mean[g.z], mean[g.w]),
    inverseSqrt(spread + params.eps),
    vec4f(gamma[c.x], gamma[c.y], gamma[c.z], gamma[c.w]),
    vec4f(beta[c.x], beta[c.y], beta[c.z], beta[c.w]),
  );
}

fn four_channels(quad: u32) -> vec4u {
  return vec4u(4u * quad, 4u * quad + 1u, 4u * quad + 2u, 4u * quad + 3u);
}

@compute @workgroup_size(64)
fn apply4(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  let lanes = params.channels / 4u;
  if (i >= params.images * params.strips * lanes) {
    return;
  }
  let s = span_of(i, params.strip, params.strips, lanes);
  let c = four_channels(s.channel);
  let by = scales_of(groups_of(s.image, c), c);
  var at = s.first;
  for (var n = s.count; n > 0u; n--) {
    output4[at] = vec4<Output>(activate((vec4f(input4[at]) - by.mean) * by.inverse * by.weight + by.bias));
    at += lanes;
  }
}

@compute @workgroup_size(64)
fn input_grad4(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  let lanes = params.channels / 4u;
  if (i >= params.images * params.strips * lanes) {
    return;
  }
  let s = span_of(i, params.strip, params.strips, lanes);
  let c = four_channels(s.channel);
  let g = groups_of(s.image, c);
  let by = scales_of(g, c);
  let constant = vec4f(terms[2u * g.x], terms[2u * g.y], terms[2u * g.z], terms[2u * g.w]);
  let h = 2u * g + 1u;
  let slope = vec4f(terms[h.x], terms[h.y], terms[h.z], terms[h.w]);
  var at = s.first;
  for (var n = s.count; n > 0u; n--) {
    let normal = (vec4f(input4[at]) - by.mean) * by.inverse;
    let dz = before_activation(normal * by.weight + by.bias, dy4[at]);
    output4[at] = vec4<Output>(by.inverse * (by.weight * dz - constant - normal * slope));
    at += lanes;
  }
}

@compute @workgroup_size(64)
fn apply(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i >= params.images * params.strips * params.channels) {
    return;
  }
  let s = span(i, params.strip, params.strips);
  let g = group_of(s.image, s.channel);
  let average = mean[g];
  let inverse = inverseSqrt(variance[g] + params.eps);
  let weight = gamma[s.channel];
  let bias = beta[s.channel];
  var at = s.first;
  for (var n = s.count; n > 0u; n--) {
    output[at] = Output(activate(vec4f((f32(input[at]) - average) * inverse * weight + bias)).x);
    at += params.channels;
  }
}

// Σ dz and Σ dz·x̂ of each channel of each chunk.
@compute @workgroup_size(64)
fn grad_sums(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i >= params.images * params.chunks * params.channels) {
    return;
  }
  let s = span(i, params.chunk, params.chunks);
  let g = group_of(s.image, s.channel);
  let average = mean[g];
  let inverse = inverseSqrt(variance[g] + params.eps);
  let weight = gamma[s.channel];
  let bias = beta[s.channel];
  var sum = 0.0;
  var product = 0.0;
  var at = s.first;
  for (var n = s.count; n > 0u; n--) {
    let normal = (f32(input[at]) - average) * inverse;
    let dz = before_activation(vec4f(normal * weight + bias), vec4f(dy[at])).x;
    sum += dz;
    product += dz * normal;
    at += params.channels;
  }
  first_out[i] = sum;
  second_out[i] = product;
}

// The same for four channels at once.
@compute @workgroup_size(64)
fn grad_sums4(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  let step = params.channels / 4u;
  if (i >= params.images * params.chunks * step) {
    return;
  }
  let s = span_of(i, params.chunk, params.chunks, step);
  let c = four_channels(s.channel);
  let by = scales_of(groups_of(s.image, c), c);
  var sum = vec4f();
  var product = vec4f();
  var at = s.first;
  for (var n = s.count; n > 0u; n--) {
    let normal = (vec4f(input4[at]) - by.mean) * by.inverse;
    let dz = before_activation(normal * by.weight + by.bias, dy4[at]);
    sum += dz;
    product += dz * normal;
    at += step;
  }
  first4_out[i] = sum;
  second4_out[i] = product;
}

// What a group's statistics take away from its input gradient: the means of gamma·dz and gamma·dz·x̂.
@compute @workgroup_size(64)
fn grad_terms(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let g = (group.y * groups.x + group.x) * 64u + lane;
  if (g >= params.images * params.groups) {
    return;
  }
  let width = params.channels / params.groups;
  let first = (g % params.groups) * width;
  let image = g / params.groups;
  var sum = 0.0;
  var product = 0.0;
  for (var c = first; c < first + width; c++) {
    sum += gamma[c] * sums[image * params.channels + c];
    product += gamma[c] * products[image * params.channels + c];
  }
  let size = f32(width) * f32(params.pixels);
  terms_out[2u * g] = sum / size;
  terms_out[2u * g + 1u] = product / size;
}

@compute @workgroup_size(64)
fn input_grad(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i >= params.images * params.strips * params.channels) {
    return;
  }
  let s = span(i, params.strip, params.strips);
  let g = group_of(s.image, s.channel);
  let average = mean[g];
  let inverse = inverseSqrt(variance[g] + params.eps);
  let weight = gamma[s.channel];
  let bias = beta[s.channel];
  let constant = terms[2u * g];
  let slope = terms[2u * g + 1u];
  var at = s.first;
  for (var n = s.count; n > 0u; n--) {
    let normal = (f32(input[at]) - average) * inverse;
    let dz = before_activation(vec4f(normal * weight + bias), vec4f(dy[at])).x;
    output[at] = Output(inverse * (weight * dz - constant - normal * slope));
    at += params.channels;
  }
}
`,
  guard: `// Watches a step for numbers that are not finite without the host: the first one found is noted, once
// and for all, and from then on no optimizer moves anything.

// count: how many values there are; base: the number of the first among all that are watched.
struct Params { count: u32, base: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> values: array<f32>;
@group(0) @binding(2) var<storage, read> now: array<u32>;
@group(0) @binding(3) var<storage, read_write> fault: array<u32>;
@group(0) @binding(4) var<storage, read_write> coefficient: array<f32>;

const STEP = 0u;
const INDEX = 1u;
const NONE = 0xffffffffu;
const EXPONENT = 0x7f800000u;

var<workgroup> found: array<u32, 64>;

// By its bits: a comparison of a number with itself may be compiled away.
fn is_finite(x: f32) -> bool {
  return (bitcast<u32>(x) & EXPONENT) != EXPONENT;
}

@compute @workgroup_size(64)
fn check(@builtin(local_invocation_index) lane: u32) {
  var first = NONE;
  for (var i = lane; i < params.count; i += 64u) {
    if (!is_finite(values[i])) {
      first = min(first, i);
    }
  }
  found[lane] = first;
  workgroupBarrier();
  for (var half = 32u; half > 0u; half >>= 1u) {
    if (lane < half) {
      found[lane] = min(found[lane], found[lane + half]);
    }
    workgroupBarrier();
  }
  if (lane == 0u && found[0] != NONE && fault[STEP] == 0u) {
    fault[STEP] = now[0];
    fault[INDEX] = params.base + found[0];
  }
}

// A negative coefficient tells the optimizer to leave everything as it is.
@compute @workgroup_size(1)
fn halt() {
  if (fault[STEP] != 0u) {
    coefficient[0] = -1.0;
  }
}
`,
  matmul: `// y = op(a) op(b) + bias for a batch of matrices, row-major.
//
// Every row of a, b and y has a multiple of 4 elements; the host pads where it has not. Loads past
// an edge repeat a valid one and their results are not stored.
// Each output element is one chain of fused multiply-adds over k in rising order, in both entries, in
// tiles of any size, and wherever it lies in its tile: equal rows of a give equal bits, whatever else
// is in y.

struct Params {
  m: u32,
  n: u32,
  k: u32,
  // Distance from one matrix of the batch to the next, in vec4; 0 where all share one.
  aBatch: u32,
  bBatch: u32,
  batch: u32,
  // k is cut into \`splits\` parts of \`chunk\` each; every part writes its own y.
  splits: u32,
  chunk: u32,
}

override TRANSPOSE_A: bool = false; // a is stored as [k, m]
override TRANSPOSE_B: bool = false; // b is stored as [n, k]
override RAGGED: bool = false; // k is no multiple of 4
override HAS_BIAS: bool = false;

alias A = f32; // as they are stored
alias B = f32;
alias Y = f32;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<vec4<A>>;
@group(0) @binding(2) var<storage, read> b: array<vec4<B>>;
@group(0) @binding(3) var<storage, read> bias: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> y: array<vec4<Y>>;

fn loadA(at: u32) -> vec4f {
  return vec4f(a[at]);
}

fn loadB(at: u32) -> vec4f {
  return vec4f(b[at]);
}

fn quads(extent: u32) -> u32 {
  return (extent + 3u) / 4u;
}

// Where 4 neighbouring rows of a matrix with k columns begin, in vec4. In a matrix with k rows they
// are columns, side by side in one vec4, of which x is the place.
fn starts(sideBySide: bool, first: u32, extent: u32) -> vec4u {
  if (sideBySide) {
    return vec4u(min(first / 4u, quads(extent) - 1u));
  }
  return min(vec4u(first, first + 1u, first + 2u, first + 3u), vec4u(extent - 1u)) *
    quads(params.k);
}

// 4 rows of op(a) by 4 steps of k: column i holds the rows' elements at k + i.
fn blockOfA(base: u32, at: vec4u, k: u32, end: u32) -> mat4x4f {
  if (TRANSPOSE_A) {
    let stride = quads(params.m);
    let place = base + k * stride + at.x;
    if (RAGGED) {
      let zero = vec4f();
      let one = select(0u, stride, k + 1u < end);
      let two = select(0u, 2u * stride, k + 2u < end);
      let three = select(0u, 3u * stride, k + 3u < end);
      return mat4x4f(
        loadA(place),
        select(zero, loadA(place + one), one > 0u),
        select(zero, loadA(place + two), two > 0u),
        select(zero, loadA(place + three), three > 0u),
      );
    }
    return mat4x4f(
      loadA(place),
      loadA(place + stride),
      loadA(place + 2u * stride),
      loadA(place + 3u * stride),
    );
  }
  let place = base + k / 4u;
  return transpose(mat4x4f(
    loadA(place + at.x),
    loadA(place + at.y),
    loadA(place + at.z),
    loadA(place + at.w),
  ));
}

// 4 steps of k by 4 columns of op(b): column i holds the columns' elements at k + i.
fn blockOfB(base: u32, at: vec4u, k: u32, end: u32) -> mat4x4f {
  if (TRANSPOSE_B) {
    let place = base + k / 4u;
    return transpose(mat4x4f(
      loadB(place + at.x),
      loadB(place + at.y),
      loadB(place + at.z),
      loadB(place + at.w),
    ));
  }
  let stride = quads(params.n);
  let place = base + k * stride + at.x;
  if (RAGGED) {
    let zero = vec4f();
    let one = select(0u, stride, k + 1u < end);
    let two = select(0u, 2u * stride, k + 2u < end);
    let three = select(0u, 3u * stride, k + 3u < end);
    return mat4x4f(
      loadB(place),
      select(zero, loadB(place + one), one > 0u),
      select(zero, loadB(place + two), two > 0u),
      select(zero, loadB(place + three), three > 0u),
    );
  }
  return mat4x4f(
    loadB(place),
    loadB(place + stride),
    loadB(place + 2u * stride),
    loadB(place + 3u * stride),
  );
}

// 8 rows by 8 columns, or only the first 4 by 4.
struct Tile {
  r0: vec4f, r1: vec4f, r2: vec4f, r3: vec4f, r4: vec4f, r5: vec4f, r6: vec4f, r7: vec4f,
  s0: vec4f, s1: vec4f, s2: vec4f, s3: vec4f, s4: vec4f, s5: vec4f, s6: vec4f, s7: vec4f,
}

override WHOLE: bool = true; // 8 by 8

fn step(t: ptr<function, Tile>, top: vec4f, low: vec4f, left: vec4f, right: vec4f) {
  (*t).r0 = fma(vec4f(top.x), left, (*t).r0);
  (*t).r1 = fma(vec4f(top.y), left, (*t).r1);
  (*t).r2 = fma(vec4f(top.z), left, (*t).r2);
  (*t).r3 = fma(vec4f(top.w), left, (*t).r3);
  if (WHOLE) {
    (*t).r4 = fma(vec4f(low.x), left, (*t).r4);
    (*t).r5 = fma(vec4f(low.y), left, (*t).r5);
    (*t).r6 = fma(vec4f(low.z), left, (*t).r6);
    (*t).r7 = fma(vec4f(low.w), left, (*t).r7);
    (*t).s0 = fma(vec4f(top.x), right, (*t).s0);
    (*t).s1 = fma(vec4f(top.y), right, (*t).s1);
    (*t).s2 = fma(vec4f(top.z), right, (*t).s2);
    (*t).s3 = fma(vec4f(top.w), right, (*t).s3);
    (*t).s4 = fma(vec4f(low.x), right, (*t).s4);
    (*t).s5 = fma(vec4f(low.y), right, (*t).s5);
    (*t).s6 = fma(vec4f(low.z), right, (*t).s6);
    (*t).s7 = fma(vec4f(low.w), right, (*t).s7);
  }
}

fn store(matrix: u32, row: u32, quad: u32, value: vec4f) {
  let width = quads(params.n);
  if (row < params.m && quad < width) {
    var sum = value;
    if (HAS_BIAS) {
      sum = sum + bias[quad];
    }
    y[(matrix * params.m + row) * width + quad] = vec4<Y>(sum);
  }
}

// Stores a tile whose rows 4 to 7 are \`apart\` below the first, and columns 4 to 7 \`aside\` in vec4.
fn storeTile(t: Tile, matrix: u32, row: u32, apart: u32, quad: u32, aside: u32) {
  store(matrix, row, quad, t.r0);
  store(matrix, row + 1u, quad, t.r1);
  store(matrix, row + 2u, quad, t.r2);
  store(matrix, row + 3u, quad, t.r3);
  if (WHOLE) {
    let low = row + apart;
    store(matrix, low, quad, t.r4);
    store(matrix, low + 1u, quad, t.r5);
    store(matrix, low + 2u, quad, t.r6);
    store(matrix, low + 3u, quad, t.r7);
    let right = quad + aside;
    store(matrix, row, right, t.s0);
    store(matrix, row + 1u, right, t.s1);
    store(matrix, row + 2u, right, t.s2);
    store(matrix, row + 3u, right, t.s3);
    store(matrix, low, right, t.s4);
    store(matrix, low + 1u, right, t.s5);
    store(matrix, low + 2u, right, t.s6);
    store(matrix, low + 3u, right, t.s7);
  }
}

// ---- One invocation computes 8 rows by 8 columns in registers: for adapters whose loads are slow
// and whose workgroup memory is no faster than other memory (software rasterizers), and for small work.

override GROUP: u32 = 16u;

@compute @workgroup_size(GROUP)
fn registers(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let id = (group.y * groups.x + group.x) * GROUP + lane;
  let across = (params.n + 7u) / 8u;
  let down = (params.m + 7u) / 8u;
  let matrix = id / (across * down);
  if (matrix >= params.batch * params.splits) {
    return;
  }
  let column = (id % across) * 8u;
  let row = (id / across) % down * 8u;
  let inBatch = matrix % params.batch;
  let begin = matrix / params.batch * params.chunk;
  let end = min(begin + params.chunk, params.k);
  let aBase = inBatch * params.aBatch;
  let bBase = inBatch * params.bBatch;
  let aTop = starts(TRANSPOSE_A, row, params.m);
  let aLow = starts(TRANSPOSE_A, row + 4u, params.m);
  let bLeft = starts(!TRANSPOSE_B, column, params.n);
  let bRight = starts(!TRANSPOSE_B, column + 4u, params.n);
  var t = Tile();
  for (var k = begin; k < end; k = k + 4u) {
    let top = blockOfA(aBase, aTop, k, end);
    let low = blockOfA(aBase, aLow, k, end);
    let left = blockOfB(bBase, bLeft, k, end);
    let right = blockOfB(bBase, bRight, k, end);
    step(&t, top[0], low[0], left[0], right[0]);
    step(&t, top[1], low[1], left[1], right[1]);
    step(&t, top[2], low[2], left[2], right[2]);
    step(&t, top[3], low[3], left[3], right[3]);
  }
  storeTile(t, matrix, row, 4u, column / 4u, 1u);
}

// ---- The invocations of a workgroup share a tile of HEIGHT by WIDTH vec4, 16 steps of k at a time, in
// workgroup memory: for real GPUs. Each computes 4 rows by 4 columns, or 8 by 8 as four such blocks half
// a tile apart, so that neighbours read side by side.

override THREADS: u32 = 128u; // 8 across
override HEIGHT: u32 = 32u;
override WIDTH: u32 = 16u;
// Distance from one step of k to the next: padded against bank conflicts.
override A_STEP: u32 = HEIGHT + 1u;
override B_STEP: u32 = WIDTH + 1u;
override A_SIZE: u32 = 16u * A_STEP;
override B_SIZE: u32 = 16u * B_STEP;

var<workgroup> tileOfA: array<vec4f, A_SIZE>; // [16 steps of k, rows / 4]
var<workgroup> tileOfB: array<vec4f, B_SIZE>; // [16 steps of k, columns / 4]

// What invocation \`i\` of those that fill a tile of \`extent\` vec4 brings: x its vec4 and y its first
// step of k. Neighbours load side by side, along k or along the vec4.
fn share(i: u32, extent: u32, alongK: bool) -> vec2u {
  if (alongK) {
    return vec2u(i / 4u, i % 4u * 4u);
  }
  return vec2u(i % extent, i / extent * 4u);
}

fn fillA(base: u32, row: u32, k: u32, end: u32, lane: u32) {
  for (var i = lane; i < HEIGHT * 4u; i = i + THREADS) {
    let part = share(i, HEIGHT, !TRANSPOSE_A);
    let step = k + part.y;
    let at = starts(TRANSPOSE_A, row + part.x * 4u, params.m);
    let block = blockOfA(base, at, min(step, end - 1u) / 4u * 4u, end);
    let place = part.y * A_STEP + part.x;
    let exists = step < end;
    tileOfA[place] = select(vec4f(), block[0], exists);
    tileOfA[place + A_STEP] = select(vec4f(), block[1], exists);
    tileOfA[place + 2u * A_STEP] = select(vec4f(), block[2], exists);
    tileOfA[place + 3u * A_STEP] = select(vec4f(), block[3], exists);
  }
}

fn fillB(base: u32, column: u32, k: u32, end: u32, lane: u32) {
  for (var i = lane; i < WIDTH * 4u; i = i + THREADS) {
    let part = share(i, WIDTH, TRANSPOSE_B);
    let step = k + part.y;
    let at = starts(!TRANSPOSE_B, column + part.x * 4u, params.n);
    let block = blockOfB(base, at, min(step, end - 1u) / 4u * 4u, end);
    let place = part.y * B_STEP + part.x;
    let exists = step < end;
    tileOfB[place] = select(vec4f(), block[0], exists);
    tileOfB[place + B_STEP] = select(vec4f(), block[1], exists);
    tileOfB[place + 2u * B_STEP] = select(vec4f(), block[2], exists);
    tileOfB[place + 3u * B_STEP] = select(vec4f(), block[3], exists);
  }
}

@compute @workgroup_size(THREADS)
fn tiled(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let across = (quads(params.n) + WIDTH - 1u) / WIDTH;
  let down = (quads(params.m) + HEIGHT - 1u) / HEIGHT;
  let id = group.y * groups.x + group.x;
  let matrix = id / (across * down);
  if (matrix >= params.batch * params.splits) {
    return;
  }
  let column = id % across * WIDTH * 4u;
  let row = id / across % down * HEIGHT * 4u;
  let inBatch = matrix % params.batch;
  let begin = matrix / params.batch * params.chunk;
  let end = min(begin + params.chunk, params.k);
  let tx = lane % 8u;
  let ty = lane / 8u;
  var t = Tile();
  for (var k = begin; k < end; k = k + 16u) {
    fillA(inBatch * params.aBatch, row, k, end, lane);
    fillB(inBatch * params.bBatch, column, k, end, lane);
    workgroupBarrier();
    for (var i = 0u; i < 16u; i = i + 1u) {
      let left = i * A_STEP + ty;
      let right = i * B_STEP + tx;
      let top = tileOfA[left];
      let near = tileOfB[right];
      if (WHOLE) {
        step(&t, top, tileOfA[left + HEIGHT / 2u], near, tileOfB[right + WIDTH / 2u]);
      } else {
        step(&t, top, vec4f(), near, vec4f());
      }
    }
    workgroupBarrier();
  }
  storeTile(t, matrix, row + ty * 4u, HEIGHT * 2u, column / 4u + tx, WIDTH / 2u);
}
`,
  max_pool: `// The largest value of every window of [images, height, width, channels], and the gradient of that map,
// which gives each window's gradient to its first largest value, read row by row.

struct Params {
  size: u32, // threads
  lanes: u32, // channels, or vectors of four of them
  height: u32,
  width: u32,
  out_height: u32,
  out_width: u32,
  kernel: u32,
  stride: u32,
  padding: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> x4: array<vec4f>;
@group(0) @binding(3) var<storage, read> dy: array<f32>;
@group(0) @binding(4) var<storage, read> dy4: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;
@group(0) @binding(6) var<storage, read_write> y4: array<vec4f>;

struct Span { first: u32, end: u32 }

// The inputs under window \`o\` along an axis of \`inputs\`; what lies in the padding is no input.
fn under(o: u32, inputs: u32) -> Span {
  let start = o * params.stride; // counted from the first row or column of the padding
  let first = max(start, params.padding) - params.padding;
  let end = min(start + params.kernel, inputs + params.padding) - params.padding;
  return Span(first, end);
}

// The windows over input \`i\` along an axis of \`outputs\`.
fn over(i: u32, outputs: u32) -> Span {
  let place = i + params.padding;
  let first = (max(place + params.stride, params.kernel) - params.kernel) / params.stride;
  return Span(first, min(place / params.stride + 1u, outputs));
}

struct Place { image: u32, row: u32, column: u32, lane: u32 }

fn place(i: u32, height: u32, width: u32) -> Place {
  let pixel = i / params.lanes;
  let line = pixel / width;
  return Place(line / height, line % height, pixel % width, i % params.lanes);
}

// Where an input lies in x.
fn input_at(image: u32, row: u32, column: u32, lane: u32) -> u32 {
  return ((image * params.height + row) * params.width + column) * params.lanes + lane;
}

// Where a window's result lies in y.
fn output_at(image: u32, row: u32, column: u32, lane: u32) -> u32 {
  return ((image * params.out_height + row) * params.out_width + column) * params.lanes + lane;
}

struct Largest { value: f32, at: u32 }
struct Largest4 { value: vec4f, at: vec4u }

// The first largest value of a window and its place in x.
fn largest(image: u32, row: u32, column: u32, lane: u32) -> Largest {
  let rows = under(row, params.height);
  let columns = under(column, params.width);
  var at = input_at(image, rows.first, columns.first, lane);
  var best = x[at];
  for (var r = rows.first; r < rows.end; r++) {
    for (var c = columns.first; c < columns.end; c++) {
      let i = input_at(image, r, c, lane);
      let v = x[i];
      if (v > best) {
        best = v;
        at = i;
      }
    }
  }
  return Largest(best, at);
}

fn largest4(image: u32, row: u32, column: u32, lane: u32) -> Largest4 {
  let rows = under(row, params.height);
  let columns = under(column, params.width);
  let start = input_at(image, rows.first, columns.first, lane);
  var at = vec4u(start);
  var best = x4[start];
  for (var r = rows.first; r < rows.end; r++) {
    for (var c = columns.first; c < columns.end; c++) {
      let i = input_at(image, r, c, lane);
      let v = x4[i];
      let larger = v > best;
      best = select(best, v, larger);
      at = select(at, vec4u(i), larger);
    }
  }
  return Largest4(best, at);
}

@compute @workgroup_size(64)
fn forward1(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let i = (group.y * groups.x + group.x) * 64u + thread;
  if (i >= params.size) {
    return;
  }
  let p = place(i, params.out_height, params.out_width);
  y[i] = largest(p.image, p.row, p.column, p.lane).value;
}

@compute @workgroup_size(64)
fn forward4(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let i = (group.y * groups.x + group.x) * 64u + thread;
  if (i >= params.size) {
    return;
  }
  let p = place(i, params.out_height, params.out_width);
  y4[i] = largest4(p.image, p.row, p.column, p.lane).value;
}

@compute @workgroup_size(64)
fn grad1(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let i = (group.y * groups.x + group.x) * 64u + thread;
  if (i >= params.size) {
    return;
  }
  let p = place(i, params.height, params.width);
  let rows = over(p.row, params.out_height);
  let columns = over(p.column, params.out_width);
  var total = 0.0;
  for (var r = rows.first; r < rows.end; r++) {
    for (var c = columns.first; c < columns.end; c++) {
      if (largest(p.image, r, c, p.lane).at == i) {
        total += dy[output_at(p.image, r, c, p.lane)];
      }
    }
  }
  y[i] = total;
}

@compute @workgroup_size(64)
fn grad4(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let i = (group.y * groups.x + group.x) * 64u + thread;
  if (i >= params.size) {
    return;
  }
  let p = place(i, params.height, params.width);
  let rows = over(p.row, params.out_height);
  let columns = over(p.column, params.out_width);
  var total = vec4f();
  for (var r = rows.first; r < rows.end; r++) {
    for (var c = columns.first; c < columns.end; c++) {
      let chosen = largest4(p.image, r, c, p.lane).at == vec4u(i);
      total += select(vec4f(), dy4[output_at(p.image, r, c, p.lane)], chosen);
    }
  }
  y4[i] = total;
}
`,
  pack: `// Rows of matrices as panels: y[i, panel, column, r] = x[i, first + start + r, column], 16 rows a panel.
//
// A panel starts 16 rows after the one before; the last starts as far before the end, in steps of 4.
// Past the last row that is taken there are zeros. The rows of x have a multiple of 4 elements. One
// invocation turns a block of 4 by 4, sixteen neighbours one of 16 by 16: whole lines of a cache, of
// which only few fit where rows lie powers of 2 apart.

struct Params {
  count: u32,
  // Of one matrix of x.
  rows: u32,
  columns: u32,
  // The rows that are taken: 13 at least.
  first: u32,
  taken: u32,
}

override GROUP: u32 = 16u; // a multiple of 16

alias X = f32; // as it is stored

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<X>>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4f>;

@compute @workgroup_size(GROUP)
fn pack(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let id = (group.y * groups.x + group.x) * GROUP + lane;
  let height = (params.taken + 3u) / 4u;
  let across = params.columns / 4u;
  let panels = (height + 3u) / 4u;
  let groupsAcross = (across + 3u) / 4u;
  let square = id / 16u;
  let matrix = square / (panels * groupsAcross);
  let panel = square / groupsAcross % panels;
  let quad = square % groupsAcross * 4u + id / 4u % 4u;
  let block = id % 4u;
  if (matrix >= params.count || quad >= across) {
    return;
  }
  let row = vec4u(0u, 1u, 2u, 3u) + (min(panel * 4u, height - 4u) + block) * 4u;
  let exists = row < vec4u(params.taken);
  let base = (matrix * params.rows + params.first) * across + quad;
  let at = base + select(vec4u(), row, exists) * across;
  let turned = transpose(mat4x4f(
    select(vec4f(), vec4f(x[at.x]), exists.x),
    select(vec4f(), vec4f(x[at.y]), exists.y),
    select(vec4f(), vec4f(x[at.z]), exists.z),
    select(vec4f(), vec4f(x[at.w]), exists.w),
  ));
  let to = ((matrix * panels + panel) * params.columns + quad * 4u) * 4u + block;
  y[to] = turned[0];
  y[to + 4u] = turned[1];
  y[to + 8u] = turned[2];
  y[to + 12u] = turned[3];
}
`,
  panels: `// y = op(a) op(b) + bias for batches of matrices, in tiles of 16 by 16: for adapters on a CPU.
//
// There a load costs as much as dozens of multiplications, so one invocation computes 16 rows by 16
// columns, whose accumulators may as well lie in memory. A step of k gives it its operands in eight
// loads: rows of k steps are read as they are, others come packed, 16 rows side by side (pack.wgsl). A
// loop over single steps, without branches, is short code, which such drivers compile in a fraction of
// a second and run best.
//
// n is a multiple of 4, and not less than 16; m is not less than 13, and where a has rows of k steps, these
// are filled up to a multiple of 4. What is left over past whole tiles is no tile of its own: the last tile
// begins before it, within another, and writes what is its own. Each output element is one chain of fused
// multiply-adds over k in rising order, as in matmul.wgsl.

struct Params {
  m: u32,
  n: u32,
  k: u32,
  // The steps of a panel where a, or b, is packed; else 0, and a is [k, m], or b [k, n], row-major.
  aSteps: u32,
  bSteps: u32,
  // Distance from one matrix of the batch to the next, in vec4; 0 where all share one.
  aBatch: u32,
  bBatch: u32,
  // Where the first matrix of b is, in vec4.
  bFirst: u32,
  batch: u32,
  // k is cut into \`splits\` parts of \`chunk\` each; every part writes its own y.
  splits: u32,
  chunk: u32,
  // The first row of y that is written.
  first: u32,
  hasBias: u32,
}

override ADDS: bool = false; // the chains continue what y holds
override GROUP: u32 = 8u;

alias A = f32; // as they are stored
alias B = f32;
alias Y = f32;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<vec4<A>>;
@group(0) @binding(2) var<storage, read> b: array<vec4<B>>;
@group(0) @binding(3) var<storage, read> bias: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> y: array<vec4<Y>>;

// The columns of one row, and of four.
struct Row { a: vec4f, b: vec4f, c: vec4f, d: vec4f }
struct Rows { a: Row, b: Row, c: Row, d: Row }

fn addRow(sum: Row, left: f32, right: Row) -> Row {
  let factor = vec4f(left);
  return Row(
    fma(factor, right.a, sum.a),
    fma(factor, right.b, sum.b),
    fma(factor, right.c, sum.c),
    fma(factor, right.d, sum.d),
  );
}

fn addRows(sum: Rows, left: vec4f, right: Row) -> Rows {
  return Rows(
    addRow(sum.a, left.x, right),
    addRow(sum.b, left.y, right),
    addRow(sum.c, left.z, right),
    addRow(sum.d, left.w, right),
  );
}

fn leftOf(at: u32) -> Row {
  return Row(vec4f(a[at]), vec4f(a[at + 1u]), vec4f(a[at + 2u]), vec4f(a[at + 3u]));
}

fn rightOf(at: u32) -> Row {
  return Row(vec4f(b[at]), vec4f(b[at + 1u]), vec4f(b[at + 2u]), vec4f(b[at + 3u]));
}

// What is added to each row.
fn biasAt(quad: u32) -> Row {
  if (params.hasBias == 0u) {
    return Row();
  }
  return Row(
    bias[quad],
    bias[quad + 1u],
    bias[quad + 2u],
    bias[quad + 3u],
  );
}

// Row \`i\` of four times four.
fn rowOf(t0: Rows, t1: Rows, t2: Rows, t3: Rows, i: u32) -> Row {
  var rows = t0;
  if (i >= 4u) {
    rows = t1;
  }
  if (i >= 8u) {
    rows = t2;
  }
  if (i >= 12u) {
    rows = t3;
  }
  var row = rows.a;
  if (i % 4u == 1u) {
    row = rows.b;
  }
  if (i % 4u == 2u) {
    row = rows.c;
  }
  if (i % 4u == 3u) {
    row = rows.d;
  }
  return row;
}

fn chosen(old: Row, row: Row, isIt: bool) -> Row {
  return Row(
    select(old.a, row.a, isIt),
    select(old.b, row.b, isIt),
    select(old.c, row.c, isIt),
    select(old.d, row.d, isIt),
  );
}

// \`rows\` with row \`i\` replaced, if they have one.
fn withRow(rows: Rows, row: Row, i: u32) -> Rows {
  return Rows(
    chosen(rows.a, row, i == 0u),
    chosen(rows.b, row, i == 1u),
    chosen(rows.c, row, i == 2u),
    chosen(rows.d, row, i == 3u),
  );
}

fn startOf(at: u32) -> Row {
  return Row(vec4f(y[at]), vec4f(y[at + 1u]), vec4f(y[at + 2u]), vec4f(y[at + 3u]));
}

// The last vec4 of a row; the first \`skipped\` are another tile's.
fn storeRow(at: u32, skipped: u32, value: Row) {
  if (skipped < 1u) {
    y[at] = vec4<Y>(value.a);
  }
  if (skipped < 2u) {
    y[at + 1u] = vec4<Y>(value.b);
  }
  if (skipped < 3u) {
    y[at + 2u] = vec4<Y>(value.c);
  }
  y[at + 3u] = vec4<Y>(value.d);
}

@compute @workgroup_size(GROUP)
fn multiply(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let height = (params.m + 3u) / 4u; // in vec4, as all that is across below
  let width = params.n / 4u;
  let down = (height + 3u) / 4u;
  let across = (width + 3u) / 4u;
  // An invocation too many computes the last tile, and stores nothing: an early return would cost more.
  let last = params.batch * params.splits * down * across - 1u;
  let number = (group.y * groups.x + group.x) * GROUP + lane;
  let id = min(number, last);
  let matrix = id / (across * down);
  let begin = matrix / params.batch * params.chunk;
  let end = min(begin + params.chunk, params.k);
  let panelOfA = id / across % down;
  let panelOfB = id % across;
  let top = min(panelOfA * 4u, height - 4u);
  let quad = min(panelOfB * 4u, width - 4u);
  let aFirst = select(top, panelOfA * params.aSteps * 4u, params.aSteps > 0u);
  let bFirst = select(quad, panelOfB * params.bSteps * 4u, params.bSteps > 0u);
  let aStep = select(height, 4u, params.aSteps > 0u);
  let bStep = select(width, 4u, params.bSteps > 0u);
  let aBase = matrix % params.batch * params.aBatch + aFirst;
  let bBase = params.bFirst + matrix % params.batch * params.bBatch + bFirst;
  let at = (params.first + matrix * params.m + top * 4u) * width + quad;
  var t0 = Rows();
  var t1 = Rows();
  var t2 = Rows();
  var t3 = Rows();
  if (ADDS) {
    for (var i = 0u; i < 16u; i = i + 1u) { // short code, too: 64 loads in a row compile for seconds
      let row = startOf(at + i * width);
      t0 = withRow(t0, row, i);
      t1 = withRow(t1, row, i - 4u);
      t2 = withRow(t2, row, i - 8u);
      t3 = withRow(t3, row, i - 12u);
    }
  }
  for (var k = begin; k < end; k = k + 1u) {
    let left = leftOf(aBase + k * aStep);
    let right = rightOf(bBase + k * bStep);
    t0 = addRows(t0, left.a, right);
    t1 = addRows(t1, left.b, right);
    t2 = addRows(t2, left.c, right);
    t3 = addRows(t3, left.d, right);
  }
  let added = biasAt(quad);
  let rows = select(min(16u, params.m - top * 4u), 0u, number > last);
  for (var i = panelOfA * 16u - top * 4u; i < rows; i = i + 1u) {
    let row = rowOf(t0, t1, t2, t3, i);
    let sum = Row(row.a + added.a, row.b + added.b, row.c + added.c, row.d + added.d);
    storeRow(at + i * width, panelOfB * 4u - quad, sum);
  }
}
`,
  project: `// y = norm(W x + b) · scale for rows x, or for chosen rows of a table: for adapters on a CPU.
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
`,
  reduce: `// Sums and maxima along the middle axis of [outer, length, inner].
//
// A thread folds one chunk of 256 elements, or a quad of neighbouring columns of one, and writes to
// [outer, chunks, inner]; the host calls again until one chunk is left. Inside a chunk the order is
// the same in every entry: blocks of 16, each folded as a tree, one after another. So a result depends
// on its own elements alone, and rounding errors grow with the tree, not with the length.

override OP: u32 = 0u;

const SUM = 0u;
const CHUNK = 256u;

// items: threads; inner: in quads for \`columns\`; identity: what an absent element counts as.
struct Params {
  items: u32,
  length: u32,
  inner: u32,
  chunks: u32,
  identity: f32,
  divisor: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x_scalars: array<f32>;
@group(0) @binding(2) var<storage, read> x_quads: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> y_scalars: array<f32>;
@group(0) @binding(4) var<storage, read_write> y_quads: array<vec4f>;

fn fold(p: vec4f, q: vec4f) -> vec4f {
  if (OP == SUM) {
    return p + q;
  }
  return max(p, q);
}

fn fold_lanes(p: vec4f) -> f32 {
  if (OP == SUM) {
    return (p.x + p.y) + (p.z + p.w);
  }
  return max(max(p.x, p.y), max(p.z, p.w));
}

fn fold_scalars(p: f32, q: f32) -> f32 {
  if (OP == SUM) {
    return p + q;
  }
  return max(p, q);
}

struct Chunk {
  start: u32, // offset of its first element
  count: u32,
}

fn chunk_of(i: u32) -> Chunk {
  let column = i % params.inner;
  let row = i / params.inner;
  let first = (row % params.chunks) * CHUNK;
  let start = ((row / params.chunks) * params.length + first) * params.inner + column;
  return Chunk(start, min(CHUNK, params.length - first));
}

// inner is 1 and length a multiple of four.
@compute @workgroup_size(64)
fn rows(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i >= params.items) {
    return;
  }
  let chunk = chunk_of(i);
  let none = vec4f(params.identity);
  let quads = chunk.count / 4u;
  var total = params.identity;
  for (var quad = 0u; quad < quads; quad += 4u) {
    let at = chunk.start / 4u + quad;
    let e0 = x_quads[at];
    let e1 = select(none, x_quads[at + 1u], quad + 1u < quads);
    let e2 = select(none, x_quads[at + 2u], quad + 2u < quads);
    let e3 = select(none, x_quads[at + 3u], quad + 3u < quads);
    total = fold_scalars(total, fold_lanes(fold(fold(e0, e1), fold(e2, e3))));
  }
  y_scalars[i] = total / params.divisor;
}

fn column_quad(at: u32, k: u32, count: u32) -> vec4f {
  return select(vec4f(params.identity), x_quads[at + k * params.inner], k < count);
}

// Every fourth of a block's sixteen elements.
fn column_fold(at: u32, k: u32, count: u32) -> vec4f {
  return fold(
    fold(column_quad(at, k, count), column_quad(at, k + 4u, count)),
    fold(column_quad(at, k + 8u, count), column_quad(at, k + 12u, count)),
  );
}

// inner is a multiple of four, and counted in quads.
@compute @workgroup_size(64)
fn columns(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i >= params.items) {
    return;
  }
  let chunk = chunk_of(i);
  var total = vec4f(params.identity);
  for (var first = 0u; first < chunk.count; first += 16u) {
    let at = chunk.start + first * params.inner;
    let count = chunk.count - first;
    let even = fold(column_fold(at, 0u, count), column_fold(at, 1u, count));
    let odd = fold(column_fold(at, 2u, count), column_fold(at, 3u, count));
    total = fold(total, fold(even, odd));
  }
  y_quads[i] = total / params.divisor;
}

fn element(at: u32, k: u32, count: u32) -> f32 {
  return select(params.identity, x_scalars[at + k * params.inner], k < count);
}

fn four_elements(at: u32, k: u32, count: u32) -> vec4f {
  return vec4f(
    element(at, k, count),
    element(at, k + 1u, count),
    element(at, k + 2u, count),
    element(at, k + 3u, count),
  );
}

@compute @workgroup_size(64)
fn elements(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i >= params.items) {
    return;
  }
  let chunk = chunk_of(i);
  var total = params.identity;
  for (var first = 0u; first < chunk.count; first += 16u) {
    let at = chunk.start + first * params.inner;
    let count = chunk.count - first;
    let low = fold(four_elements(at, 0u, count), four_elements(at, 4u, count));
    let high = fold(four_elements(at, 8u, count), four_elements(at, 12u, count));
    total = fold_scalars(total, fold_lanes(fold(low, high)));
  }
  y_scalars[i] = total / params.divisor;
}
`,
  resample: `// Separable resampling of [images, height, width, channels] by nearest neighbour, area, bicubic or
// bilinear weights, and the transposes of these maps, which are their gradients.
//
// Along an axis the map takes \`inputs\` positions to \`outputs\`. Positions are ratios of whole numbers and are
// computed as such, so that no rounding moves a window. The host keeps lengths below 2^15.

struct Params {
  size: u32, // threads
  lanes: u32, // channels, or vectors of four of them
  from_height: u32,
  from_width: u32,
  to_height: u32,
  to_width: u32,
}

override MODE: u32 = 0u;
override TRANSPOSED: bool = false;
override SUBTRACTED: bool = false; // the result is subtracted from the minuend

const NEAREST = 0u;
const AREA = 1u;
const BILINEAR = 3u;

alias Element = f32; // as both are stored

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<Element>;
@group(0) @binding(2) var<storage, read> input4: array<vec4<Element>>;
@group(0) @binding(3) var<storage, read_write> output: array<Element>;
@group(0) @binding(4) var<storage, read_write> output4: array<vec4<Element>>;
@group(0) @binding(5) var<storage, read> minuend: array<Element>;
@group(0) @binding(6) var<storage, read> minuend4: array<vec4<Element>>;

struct Axis { inputs: u32, outputs: u32 }

// What position \`o\` of the result reads: \`first\` up to, not including, \`end\`; \`centre\` is
// ⌊(o + ½)·inputs/outputs − ½⌋ and \`fraction\` the rest, for bicubic and bilinear weights.
struct Window { first: u32, end: u32, centre: i32, fraction: f32 }

fn window(o: u32, axis: Axis) -> Window {
  if (MODE == NEAREST) {
    let first = o * axis.inputs / axis.outputs;
    return Window(first, first + 1u, 0, 0.0);
  }
  if (MODE == AREA) {
    return Window(o * axis.inputs / axis.outputs, ((o + 1u) * axis.inputs - 1u) / axis.outputs + 1u, 0, 0.0);
  }
  let doubled = 2u * axis.outputs;
  let place = (2u * o + 1u) * axis.inputs + axis.outputs; // (centre + 1) · 2·outputs, which is positive
  let whole = place / doubled;
  let fraction = f32(place - whole * doubled) / f32(doubled);
  let reach = select(2, 1, MODE == BILINEAR);
  let first = u32(max(i32(whole) - reach, 0));
  return Window(first, min(whole + u32(reach), axis.inputs), i32(whole) - 1, fraction);
}

// Keys' cubic convolution (1981) with a = −0.75.
fn cubic(distance: f32) -> f32 {
  let t = abs(distance);
  if (t <= 1.0) {
    return (1.25 * t - 2.25) * t * t + 1.0;
  }
  if (t < 2.0) {
    return ((-0.75 * t + 3.75) * t - 6.0) * t + 3.0;
  }
  return 0.0;
}

// The weight at a distance from the centre.
fn lobe(distance: f32) -> f32 {
  if (MODE == BILINEAR) {
    return max(1.0 - abs(distance), 0.0);
  }
  return cubic(distance);
}

// How much of position \`i\` goes into the one that has window \`w\`. Beyond its ends the bicubic and the
// bilinear map read the end itself.
fn weight(w: Window, i: u32, axis: Axis) -> f32 {
  if (i < w.first || i >= w.end) {
    return 0.0;
  }
  if (MODE == NEAREST) {
    return 1.0;
  }
  if (MODE == AREA) {
    return 1.0 / f32(w.end - w.first);
  }
  let distance = f32(w.centre - i32(i)) + w.fraction;
  var total = lobe(distance);
  if (i == 0u) {
    total += lobe(distance + 1.0) + lobe(distance + 2.0);
  }
  if (i == axis.inputs - 1u) {
    total += lobe(distance - 1.0) + lobe(distance - 2.0);
  }
  return total;
}

struct Range { first: u32, end: u32 }

// Positions of the result that may read \`i\`; those that do not have weight 0.
fn readers(i: u32, axis: Axis) -> Range {
  if (MODE <= AREA) {
    return Range(i * axis.outputs / axis.inputs, ((i + 1u) * axis.outputs - 1u) / axis.inputs + 1u);
  }
  let outputs = i32(axis.outputs);
  let inputs = i32(axis.inputs);
  let first = max(outputs * (2 * i32(i) - 3) - inputs, 0) / (2 * inputs);
  let last = outputs * (2 * i32(i) + 5) - inputs;
  return Range(u32(first), select(0u, min(u32(last) / (2u * axis.inputs) + 1u, axis.outputs), last >= 0));
}

// The positions that thread position \`o\` gathers over, whichever way the map goes.
fn range(o: u32, axis: Axis, w: Window) -> Range {
  if (TRANSPOSED) {
    return readers(o, axis);
  }
  return Range(w.first, w.end);
}

// The weight of position \`i\` in the gather of \`o\`.
fn tap(o: u32, i: u32, axis: Axis, w: Window) -> f32 {
  if (TRANSPOSED) {
    return weight(window(i, axis), o, axis);
  }
  return weight(w, i, axis);
}

struct Place { image: u32, row: u32, column: u32, lane: u32 }

fn place(i: u32) -> Place {
  let height = select(params.to_height, params.from_height, TRANSPOSED);
  let width = select(params.to_width, params.from_width, TRANSPOSED);
  let pixel = i / params.lanes;
  let line = pixel / width;
  return Place(line / height, line % height, pixel % width, i % params.lanes);
}

// The offset of the first pixel of a row of what is read.
fn line_of(image: u32, row: u32) -> u32 {
  let height = select(params.from_height, params.to_height, TRANSPOSED);
  let width = select(params.from_width, params.to_width, TRANSPOSED);
  return (image * height + row) * width;
}

@compute @workgroup_size(64)
fn gather4(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i >= params.size) {
    return;
  }
  let p = place(i);
  let rows = Axis(params.from_height, params.to_height);
  let columns = Axis(params.from_width, params.to_width);
  let row_window = window(p.row, rows);
  let column_window = window(p.column, columns);
  let over_rows = range(p.row, rows, row_window);
  let over_columns = range(p.column, columns, column_window);
  var total = vec4f();
  for (var r = over_rows.first; r < over_rows.end; r++) {
    let line = line_of(p.image, r);
    var sum = vec4f();
    for (var c = over_columns.first; c < over_columns.end; c++) {
      sum += tap(p.column, c, columns, column_window) * vec4f(input4[(line + c) * params.lanes + p.lane]);
    }
    total += tap(p.row, r, rows, row_window) * sum;
  }
  if (SUBTRACTED) {
    total = vec4f(minuend4[i]) - total;
  }
  output4[i] = vec4<Element>(total);
}

@compute @workgroup_size(64)
fn gather1(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i >= params.size) {
    return;
  }
  let p = place(i);
  let rows = Axis(params.from_height, params.to_height);
  let columns = Axis(params.from_width, params.to_width);
  let row_window = window(p.row, rows);
  let column_window = window(p.column, columns);
  let over_rows = range(p.row, rows, row_window);
  let over_columns = range(p.column, columns, column_window);
  var total = 0.0;
  for (var r = over_rows.first; r < over_rows.end; r++) {
    let line = line_of(p.image, r);
    var sum = 0.0;
    for (var c = over_columns.first; c < over_columns.end; c++) {
      sum += tap(p.column, c, columns, column_window) * f32(input[(line + c) * params.lanes + p.lane]);
    }
    total += tap(p.row, r, rows, row_window) * sum;
  }
  if (SUBTRACTED) {
    total = f32(minuend[i]) - total;
  }
  output[i] = Element(total);
}
`,
  row_norm: `// Layer and RMS normalisation of rows. LANES threads share a row: each adds every LANES-th element, and a
// tree joins them. CENTRED is layer normalisation; without it the mean and beta count as 0.

struct Params {
  rows: u32,
  width: u32,
  chunk: u32, // rows a thread of param_sums
  chunks: u32,
  eps: f32,
}

override GROUP: u32 = 64u;
override LANES: u32 = 64u;
override CENTRED: bool = true;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<f32>;
@group(0) @binding(2) var<storage, read> gamma: array<f32>;
@group(0) @binding(3) var<storage, read> beta: array<f32>;
@group(0) @binding(4) var<storage, read> cotangent: array<f32>;
@group(0) @binding(5) var<storage, read> moments: array<f32>; // a row's mean and 1 / deviation
@group(0) @binding(6) var<storage, read_write> output: array<f32>;
@group(0) @binding(7) var<storage, read_write> moments_out: array<f32>;
@group(0) @binding(8) var<storage, read_write> products: array<f32>; // [chunks, width]
@group(0) @binding(9) var<storage, read_write> sums: array<f32>;

var<workgroup> part: array<f32, GROUP>;

// Σ over a row's threads.
fn add_up(mine: f32, index: u32) -> f32 {
  if (LANES == 1u) {
    return mine;
  }
  let lane = index % LANES;
  part[index] = mine;
  workgroupBarrier();
  for (var half = LANES / 2u; half > 0u; half >>= 1u) {
    if (lane < half) {
      part[index] += part[index + half];
    }
    workgroupBarrier();
  }
  let total = part[index - lane];
  workgroupBarrier();
  return total;
}

@compute @workgroup_size(GROUP)
fn forward(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) index: u32,
) {
  let found = (group.y * groups.x + group.x) * (GROUP / LANES) + index / LANES;
  let row = min(found, params.rows - 1u);
  let base = row * params.width;
  let width = f32(params.width);
  var mean = 0.0;
  if (CENTRED) {
    let shift = input[base];
    var mine = 0.0;
    for (var i = index % LANES; i < params.width; i += LANES) {
      mine += input[base + i] - shift;
    }
    mean = shift + add_up(mine, index) / width;
  }
  var mine = 0.0;
  for (var i = index % LANES; i < params.width; i += LANES) {
    let off = input[base + i] - mean;
    mine += off * off;
  }
  let inverse = inverseSqrt(add_up(mine, index) / width + params.eps);
  if (found >= params.rows) {
    return;
  }
  for (var i = index % LANES; i < params.width; i += LANES) {
    let y = (input[base + i] - mean) * inverse * gamma[i];
    output[base + i] = select(y, y + beta[i], CENTRED);
  }
  if (index % LANES == 0u) {
    moments_out[2u * row] = mean;
    moments_out[2u * row + 1u] = inverse;
  }
}

@compute @workgroup_size(GROUP)
fn input_grad(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) index: u32,
) {
  let found = (group.y * groups.x + group.x) * (GROUP / LANES) + index / LANES;
  let row = min(found, params.rows - 1u);
  let base = row * params.width;
  let mean = moments[2u * row];
  let inverse = moments[2u * row + 1u];
  var sum = 0.0;
  var product = 0.0;
  for (var i = index % LANES; i < params.width; i += LANES) {
    let g = cotangent[base + i] * gamma[i];
    sum += g;
    product += g * (input[base + i] - mean) * inverse;
  }
  var constant = 0.0;
  if (CENTRED) {
    constant = add_up(sum, index) / f32(params.width);
  }
  let slope = add_up(product, index) / f32(params.width);
  if (found >= params.rows) {
    return;
  }
  for (var i = index % LANES; i < params.width; i += LANES) {
    let normal = (input[base + i] - mean) * inverse;
    output[base + i] = inverse * (cotangent[base + i] * gamma[i] - constant - normal * slope);
  }
}

// Σ dy·x̂ and Σ dy of each column over a chunk of rows.
@compute @workgroup_size(64)
fn param_sums(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i >= params.chunks * params.width) {
    return;
  }
  let column = i % params.width;
  let first = (i / params.width) * params.chunk;
  let end = min(first + params.chunk, params.rows);
  var product = 0.0;
  var sum = 0.0;
  for (var row = first; row < end; row++) {
    let at = row * params.width + column;
    let dy = cotangent[at];
    product += dy * (input[at] - moments[2u * row]) * moments[2u * row + 1u];
    sum += dy;
  }
  products[i] = product;
  sums[i] = sum;
}
`,
  scatter_add: `// Sums the values of all tokens that share a row, in ascending order of tokens.
//
// The tokens are first sorted by row with a stable radix sort (\`count\`, \`scan\` and \`place\` for each
// digit), which makes a row's tokens a list. A list is then summed in pieces of 64 by its positions:
// \`sum_values\` sums tokens, \`sum_partials\` sums 64 sums of the level below, and so on. Where a list is
// split depends on the position in it alone, so one long list is as fast as many short ones and the
// result never depends on timing.

const BLOCK = 128u; // tokens whose order \`place\` settles among themselves
const PIECE = 64u;

override ADD: bool = false; // the table holds numbers to which the sums are added
override FIRST: bool = false; // the first digit: the tokens are still in their own order

// blocks: ceil(tokens / BLOCK); counters: bins times blocks; channels: in quads;
// span: how many positions of a list one partial sum of the level below stands for.
struct Params {
  tokens: u32,
  rows: u32,
  shift: u32,
  mask: u32,
  blocks: u32,
  counters: u32,
  channels: u32,
  span: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> keys: array<u32>;
@group(0) @binding(2) var<storage, read> key_quads: array<vec4u>;
@group(0) @binding(3) var<storage, read> order: array<u32>;
@group(0) @binding(4) var<storage, read_write> tallies: array<atomic<u32>>; // [bins, blocks]
@group(0) @binding(5) var<storage, read_write> offsets: array<u32>; // the same, summed up
@group(0) @binding(6) var<storage, read> placed_offsets: array<u32>;
@group(0) @binding(7) var<storage, read_write> sorted_keys: array<u32>;
@group(0) @binding(8) var<storage, read_write> sorted_order: array<u32>;
@group(0) @binding(9) var<storage, read_write> new_starts: array<u32>;
@group(0) @binding(10) var<storage, read> starts: array<u32>; // one more than a list's start; 0: no list
@group(0) @binding(11) var<storage, read> values: array<vec4f>;
@group(0) @binding(12) var<storage, read_write> partials: array<vec4f>;
@group(0) @binding(13) var<storage, read> sums: array<vec4f>;
@group(0) @binding(14) var<storage, read_write> table: array<vec4f>;

fn clamp_key(key: u32) -> u32 {
  return min(key, params.rows - 1u);
}

// Integer sums do not depend on the order of their terms.
@compute @workgroup_size(64)
fn count(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i < params.tokens) {
    let digit = (clamp_key(keys[i]) >> params.shift) & params.mask;
    atomicAdd(&tallies[digit * params.blocks + i / BLOCK], 1u);
  }
}

const SCANNERS = 256u;
var<workgroup> totals: array<u32, SCANNERS>;

// Replaces each counter by the sum of those before it; one workgroup.
@compute @workgroup_size(SCANNERS)
fn scan(@builtin(local_invocation_index) lane: u32) {
  let each = (params.counters + SCANNERS - 1u) / SCANNERS;
  let first = lane * each;
  let end = min(first + each, params.counters);
  var total = 0u;
  for (var i = first; i < end; i++) {
    total += offsets[i];
  }
  totals[lane] = total;
  workgroupBarrier();
  if (lane == 0u) {
    var before = 0u;
    for (var i = 0u; i < SCANNERS; i++) {
      let own = totals[i];
      totals[i] = before;
      before += own;
    }
  }
  workgroupBarrier();
  var before = totals[lane];
  for (var i = first; i < end; i++) {
    let own = offsets[i];
    offsets[i] = before;
    before += own;
  }
}

fn digits(quad: u32) -> vec4u {
  let rows = vec4u(params.rows - 1u);
  return (min(key_quads[quad], rows) >> vec4u(params.shift)) & vec4u(params.mask);
}

// A token goes behind those of lower digits, of earlier blocks, and earlier in its block.
@compute @workgroup_size(64)
fn place(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i >= params.tokens) {
    return;
  }
  let own_quad = i / 4u;
  let digit = digits(own_quad)[i % 4u];
  var before = vec4u(0u);
  for (var quad = i / BLOCK * (BLOCK / 4u); quad < own_quad; quad++) {
    before += select(vec4u(0u), vec4u(1u), digits(quad) == vec4u(digit));
  }
  let earlier = vec4u(0u, 1u, 2u, 3u) < vec4u(i % 4u);
  before += select(vec4u(0u), vec4u(1u), earlier & (digits(own_quad) == vec4u(digit)));
  let rank = before.x + before.y + before.z + before.w;
  let to = placed_offsets[digit * params.blocks + i / BLOCK] + rank;
  sorted_keys[to] = clamp_key(key_quads[own_quad][i % 4u]);
  sorted_order[to] = select(order[i], i, FIRST);
}

@compute @workgroup_size(64)
fn mark_starts(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i < params.tokens) {
    if (i == 0u || keys[i] != keys[max(i, 1u) - 1u]) {
      new_starts[keys[i]] = i + 1u;
    }
  }
}

@compute @workgroup_size(64)
fn sum_values(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let thread = (group.y * groups.x + group.x) * 64u + lane;
  let i = thread / params.channels;
  if (i >= params.tokens) {
    return;
  }
  let key = keys[i];
  if ((i + 1u - starts[key]) % PIECE != 0u) {
    return;
  }
  let channel = thread % params.channels;
  var total = values[order[i] * params.channels + channel];
  for (var at = i + 1u; at < min(i + PIECE, params.tokens); at++) {
    if (keys[at] != key) {
      break;
    }
    total += values[order[at] * params.channels + channel];
  }
  partials[thread] = total;
}

@compute @workgroup_size(64)
fn sum_partials(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let thread = (group.y * groups.x + group.x) * 64u + lane;
  let i = thread / params.channels;
  if (i >= params.tokens) {
    return;
  }
  let key = keys[i];
  if ((i + 1u - starts[key]) % (PIECE * params.span) != 0u) {
    return;
  }
  var total = partials[thread];
  for (var k = 1u; k < PIECE; k++) {
    let at = i + k * params.span;
    if (at >= params.tokens || keys[at] != key) {
      break;
    }
    total += partials[thread + k * params.span * params.channels];
  }
  partials[thread] = total;
}

@compute @workgroup_size(64)
fn write_table(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let thread = (group.y * groups.x + group.x) * 64u + lane;
  let row = thread / params.channels;
  if (row >= params.rows) {
    return;
  }
  let start = starts[row];
  var total = vec4f(0.0);
  if (start > 0u) {
    total = sums[(start - 1u) * params.channels + thread % params.channels];
  }
  if (ADD) {
    total += table[thread];
  }
  table[thread] = total;
}
`,
  softmax: `// Softmax and log-softmax over rows. LANES threads share a row: each goes once over every LANES-th
// element, keeping its maximum and its sum of exponentials relative to that (Milakov & Gimelshein
// 2018), and a tree joins the threads. How a row is split depends on its width only.

struct Params { rows: u32, width: u32 }

override GROUP: u32 = 64u;
override LANES: u32 = 64u;
override LOG: bool = false;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<f32>;
@group(0) @binding(2) var<storage, read> input4: array<vec4f>;
@group(0) @binding(3) var<storage, read> cotangent: array<f32>;
@group(0) @binding(4) var<storage, read_write> output: array<f32>;
@group(0) @binding(5) var<storage, read_write> output4: array<vec4f>;

var<workgroup> maxima: array<f32, GROUP>;
var<workgroup> totals: array<f32, GROUP>;

const LOWEST = -3.4028234e38;

struct Sum { largest: f32, total: f32 } // Σ e^x = total · e^largest

// The row's sum from its threads' sums.
fn join(mine: Sum, index: u32) -> Sum {
  if (LANES == 1u) {
    return mine;
  }
  let lane = index % LANES;
  maxima[index] = mine.largest;
  totals[index] = mine.total;
  workgroupBarrier();
  for (var half = LANES / 2u; half > 0u; half >>= 1u) {
    if (lane < half) {
      let a = maxima[index];
      let b = maxima[index + half];
      let largest = max(a, b);
      totals[index] = totals[index] * exp(a - largest) + totals[index + half] * exp(b - largest);
      maxima[index] = largest;
    }
    workgroupBarrier();
  }
  return Sum(maxima[index - lane], totals[index - lane]);
}

// Σ over a row's threads.
fn add_up(mine: f32, index: u32) -> f32 {
  if (LANES == 1u) {
    return mine;
  }
  let lane = index % LANES;
  totals[index] = mine;
  workgroupBarrier();
  for (var half = LANES / 2u; half > 0u; half >>= 1u) {
    if (lane < half) {
      totals[index] += totals[index + half];
    }
    workgroupBarrier();
  }
  return totals[index - lane];
}

@compute @workgroup_size(GROUP)
fn forward4(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) index: u32,
) {
  let found = (group.y * groups.x + group.x) * (GROUP / LANES) + index / LANES;
  let quads = params.width / 4u;
  let base = min(found, params.rows - 1u) * quads;
  var largest = LOWEST;
  var total = 0.0;
  for (var i = index % LANES; i < quads; i += LANES) {
    let v = input4[base + i];
    let higher = max(largest, max(max(v.x, v.y), max(v.z, v.w)));
    let e = exp(v - higher);
    total = total * exp(largest - higher) + ((e.x + e.y) + (e.z + e.w));
    largest = higher;
  }
  let row = join(Sum(largest, total), index);
  if (found >= params.rows) {
    return;
  }
  if (LOG) {
    let offset = log(row.total);
    for (var i = index % LANES; i < quads; i += LANES) {
      output4[base + i] = (input4[base + i] - row.largest) - offset;
    }
  } else {
    let scale = 1.0 / row.total;
    for (var i = index % LANES; i < quads; i += LANES) {
      output4[base + i] = exp(input4[base + i] - row.largest) * scale;
    }
  }
}

@compute @workgroup_size(GROUP)
fn forward1(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) index: u32,
) {
  let found = (group.y * groups.x + group.x) * (GROUP / LANES) + index / LANES;
  let base = min(found, params.rows - 1u) * params.width;
  var largest = LOWEST;
  var total = 0.0;
  for (var i = index % LANES; i < params.width; i += LANES) {
    let v = input[base + i];
    let higher = max(largest, v);
    total = total * exp(largest - higher) + exp(v - higher);
    largest = higher;
  }
  let row = join(Sum(largest, total), index);
  if (found >= params.rows) {
    return;
  }
  let offset = log(row.total);
  let scale = 1.0 / row.total;
  for (var i = index % LANES; i < params.width; i += LANES) {
    let v = input[base + i] - row.largest;
    if (LOG) {
      output[base + i] = v - offset;
    } else {
      output[base + i] = exp(v) * scale;
    }
  }
}

// input: the forward result y. Softmax: y (dy − Σ dy·y); log-softmax: dy − e^y Σ dy.
@compute @workgroup_size(GROUP)
fn grad(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) index: u32,
) {
  let found = (group.y * groups.x + group.x) * (GROUP / LANES) + index / LANES;
  let base = min(found, params.rows - 1u) * params.width;
  var mine = 0.0;
  for (var i = index % LANES; i < params.width; i += LANES) {
    if (LOG) {
      mine += cotangent[base + i];
    } else {
      mine += cotangent[base + i] * input[base + i];
    }
  }
  let total = add_up(mine, index);
  if (found >= params.rows) {
    return;
  }
  for (var i = index % LANES; i < params.width; i += LANES) {
    if (LOG) {
      output[base + i] = cotangent[base + i] - exp(input[base + i]) * total;
    } else {
      output[base + i] = input[base + i] * (cotangent[base + i] - total);
    }
  }
}
`,
  stream: `// Attention from tokens to a codebook without the matrix of logits in memory: every pass computes the
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
  first: u32, // where only one scale's tokens are held: the first of them in \`held\`
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

// \`quads\` is QUADS or VALUE_QUADS, here and below.
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
`,
  stream_finish: `// What the passes of stream.wgsl found in their chunks, put together: one invocation a token or a code.

struct Params {
  count: u32, // tokens or codes
  chunks: u32,
  channels: u32, // of values, in vec4
  scales: u32,
  first: u32, // the first of the scale's tokens among those of all scales
  sharpness: f32, // 1/τ
  epsilon: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> chunk_values: array<f32>; // [chunks, tokens]
@group(0) @binding(2) var<storage, read> chunk_seconds: array<f32>;
@group(0) @binding(3) var<storage, read> chunk_indices: array<u32>;
@group(0) @binding(4) var<storage, read_write> largest: array<f32>;
@group(0) @binding(5) var<storage, read_write> margins: array<f32>;
@group(0) @binding(6) var<storage, read_write> indices: array<u32>;
@group(0) @binding(7) var<storage, read> maxima: array<f32>;
@group(0) @binding(8) var<storage, read> sums: array<vec4f>;
@group(0) @binding(9) var<storage, read_write> statistics: array<vec4f>;
@group(0) @binding(10) var<storage, read_write> entropies: array<f32>;
@group(0) @binding(11) var<storage, read_write> weights: array<f32>;
@group(0) @binding(12) var<storage, read> known: array<vec4f>; // statistics
@group(0) @binding(13) var<storage, read> weight_sums: array<f32>;
@group(0) @binding(14) var<storage, read> soft: array<vec4f>;
@group(0) @binding(15) var<storage, read> cotangents: array<vec4f>;
@group(0) @binding(16) var<storage, read> upstream: array<f32>;
@group(0) @binding(17) var<storage, read_write> scaled: array<vec4f>;
@group(0) @binding(18) var<storage, read_write> numbers: array<vec4f>;
@group(0) @binding(19) var<storage, read> starts: array<u32>; // each scale's first token, and the count

fn invocation(group: vec3u, groups: vec3u, lane: u32) -> u32 {
  return (group.y * groups.x + group.x) * 64u + lane;
}

// The best of the chunks' best; the lower code of equals, since chunks rise.
@compute @workgroup_size(64)
fn best(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = invocation(group, groups, lane);
  if (i >= params.count) {
    return;
  }
  var value = chunk_values[i];
  var second = chunk_seconds[i];
  var index = chunk_indices[i];
  for (var chunk = 1u; chunk < params.chunks; chunk++) {
    let at = chunk * params.count + i;
    let next = chunk_values[at];
    second = max(max(second, chunk_seconds[at]), min(value, next));
    if (next > value) {
      value = next;
      index = chunk_indices[at];
    }
  }
  largest[i] = value;
  margins[i] = value - second;
  indices[i] = index;
}

fn tokens_of(scale: u32) -> f32 {
  return f32(starts[scale + 1u] - starts[scale]);
}

// sums: (Σ e, Σ c, Σ c·x, _), of the tokens of all scales. statistics: (m, 1 / Σ e, 1 / Σ c, the mean of x
// under P). entropies: each token's over how many its scale has.
@compute @workgroup_size(64)
fn token_statistics(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = invocation(group, groups, lane);
  if (i >= params.count) {
    return;
  }
  let s = sums[i];
  let mean = s.z / s.y;
  statistics[i] = vec4f(maxima[i], 1.0 / s.x, 1.0 / s.y, mean);
  var scale = 0u;
  while (starts[scale + 1u] <= i) {
    scale++;
  }
  entropies[i] = (log(s.y) - mean) / tokens_of(scale);
}

// weights: Σ over each scale's tokens of P, [scales, codes], replaced by the derivatives of the scales'
// Σ p̄ log(p̄ + ε). entropies: the sum of a code's terms in them.
@compute @workgroup_size(64)
fn code_weights(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = invocation(group, groups, lane);
  if (i >= params.count) {
    return;
  }
  var terms = 0.0;
  for (var scale = 0u; scale < params.scales; scale++) {
    let at = scale * params.count + i;
    let share = weights[at] / tokens_of(scale);
    let logarithm = log(share + params.epsilon);
    terms += share * logarithm;
    weights[at] = logarithm + share / (share + params.epsilon);
  }
  entropies[i] = terms;
}

// The numbers of a scale's token that its logits' cotangents are made of, and its scaled cotangent.
@compute @workgroup_size(64)
fn token_numbers(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = invocation(group, groups, lane);
  if (i >= params.count) {
    return;
  }
  let s = known[params.first + i];
  var delta = vec4f();
  for (var c = 0u; c < params.channels; c++) {
    let g = cotangents[i * params.channels + c] * s.y;
    scaled[i * params.channels + c] = g;
    delta = fma(g * s.y, soft[(params.first + i) * params.channels + c], delta);
  }
  let scale = upstream[0] * params.sharpness * s.z / f32(params.count);
  let shift = s.w - weight_sums[params.first + i] * s.z;
  numbers[i] = vec4f(s.x, (delta.x + delta.y) + (delta.z + delta.w), scale, shift);
}
`,
  sum_rows: `// Sums the rows of a matrix, \`chunk\` at a time, in rising order: [rows, columns] to
// [parts, columns]. \`quads\` takes 4 columns at once, where their number is a multiple of 4.

struct Params {
  rows: u32,
  columns: u32,
  parts: u32,
  chunk: u32,
}

override GROUP: u32 = 16u;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> terms: array<f32>;
@group(0) @binding(2) var<storage, read_write> sums: array<f32>;
@group(0) @binding(3) var<storage, read> termQuads: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> sumQuads: array<vec4f>;

@compute @workgroup_size(GROUP)
fn singles(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.y * groups.x + group.x) * GROUP + lane;
  let column = i % params.columns;
  let part = i / params.columns;
  if (part >= params.parts) {
    return;
  }
  let end = min((part + 1u) * params.chunk, params.rows);
  var total = 0.0;
  for (var row = part * params.chunk; row < end; row = row + 1u) {
    total = total + terms[row * params.columns + column];
  }
  sums[i] = total;
}

@compute @workgroup_size(GROUP)
fn quads(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let width = params.columns / 4u;
  let i = (group.y * groups.x + group.x) * GROUP + lane;
  let column = i % width;
  let part = i / width;
  if (part >= params.parts) {
    return;
  }
  let end = min((part + 1u) * params.chunk, params.rows);
  var total = vec4f();
  for (var row = part * params.chunk; row < end; row = row + 1u) {
    total = total + termQuads[row * width + column];
  }
  sumQuads[i] = total;
}
`,
  unary: `// Functions of one number, applied to every element, and their gradients.
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
`,
  wide_product: `// Products of batches of matrices, row-major, where one invocation computes 16 rows by 32 columns: for
// adapters on a CPU, whose loads cost as much as dozens of multiplications, and whose accumulators may
// as well lie in memory.
//
//   y = a b
//
// n and k are multiples of 4. Loads past an edge repeat a valid one and their results are not stored.
// Each output element is one chain of fused multiply-adds over k in rising order, as in matmul.wgsl.

struct Params {
  m: u32,
  n: u32,
  k: u32,
  batch: u32,
}

override GROUP: u32 = 8u;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<vec4f>;
@group(0) @binding(2) var<storage, read> b: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4f>;

// 32 columns of one row, and of four.
struct Row { a: vec4f, b: vec4f, c: vec4f, d: vec4f, e: vec4f, f: vec4f, g: vec4f, h: vec4f }
struct Rows { a: Row, b: Row, c: Row, d: Row }

// Four steps of k for 4 columns of a row.
fn chain(sum: vec4f, left: vec4f, r0: vec4f, r1: vec4f, r2: vec4f, r3: vec4f) -> vec4f {
  let half = fma(vec4f(left.y), r1, fma(vec4f(left.x), r0, sum));
  return fma(vec4f(left.w), r3, fma(vec4f(left.z), r2, half));
}

fn addRow(sum: Row, left: vec4f, right: Rows) -> Row {
  return Row(
    chain(sum.a, left, right.a.a, right.b.a, right.c.a, right.d.a),
    chain(sum.b, left, right.a.b, right.b.b, right.c.b, right.d.b),
    chain(sum.c, left, right.a.c, right.b.c, right.c.c, right.d.c),
    chain(sum.d, left, right.a.d, right.b.d, right.c.d, right.d.d),
    chain(sum.e, left, right.a.e, right.b.e, right.c.e, right.d.e),
    chain(sum.f, left, right.a.f, right.b.f, right.c.f, right.d.f),
    chain(sum.g, left, right.a.g, right.b.g, right.c.g, right.d.g),
    chain(sum.h, left, right.a.h, right.b.h, right.c.h, right.d.h),
  );
}

// Four rows, where column i of \`left\` holds row i at four steps of k, and \`right\` those steps.
fn addRows(sum: Rows, left: mat4x4f, right: Rows) -> Rows {
  return Rows(
    addRow(sum.a, left[0], right),
    addRow(sum.b, left[1], right),
    addRow(sum.c, left[2], right),
    addRow(sum.d, left[3], right),
  );
}

// Where 4 neighbouring rows of a begin.
fn starts(base: u32, first: u32) -> vec4u {
  let rows = min(vec4u(first, first + 1u, first + 2u, first + 3u), vec4u(params.m - 1u));
  return base + rows * (params.k / 4u);
}

fn leftOf(at: vec4u, k: u32) -> mat4x4f {
  let place = at + k / 4u;
  return mat4x4f(a[place.x], a[place.y], a[place.z], a[place.w]);
}

fn rightRow(at: u32, last: u32) -> Row {
  return Row(
    b[at],
    b[at + min(1u, last)],
    b[at + min(2u, last)],
    b[at + min(3u, last)],
    b[at + min(4u, last)],
    b[at + min(5u, last)],
    b[at + min(6u, last)],
    b[at + min(7u, last)],
  );
}

fn storeQuad(at: u32, exists: bool, value: vec4f) {
  if (exists) {
    y[at] = value;
  }
}

// The row of four times four that is \`i\` below the first.
fn rowOf(t0: Rows, t1: Rows, t2: Rows, t3: Rows, i: u32) -> Row {
  var rows = t0;
  if (i >= 4u) {
    rows = t1;
  }
  if (i >= 8u) {
    rows = t2;
  }
  if (i >= 12u) {
    rows = t3;
  }
  var row = rows.a;
  if (i % 4u == 1u) {
    row = rows.b;
  }
  if (i % 4u == 2u) {
    row = rows.c;
  }
  if (i % 4u == 3u) {
    row = rows.d;
  }
  return row;
}

fn storeRow(at: u32, count: u32, v: Row) {
  y[at] = v.a;
  storeQuad(at + 1u, count > 1u, v.b);
  storeQuad(at + 2u, count > 2u, v.c);
  storeQuad(at + 3u, count > 3u, v.d);
  storeQuad(at + 4u, count > 4u, v.e);
  storeQuad(at + 5u, count > 5u, v.f);
  storeQuad(at + 6u, count > 6u, v.g);
  storeQuad(at + 7u, count > 7u, v.h);
}

@compute @workgroup_size(GROUP)
fn multiply(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let across = (params.n + 31u) / 32u;
  let down = (params.m + 15u) / 16u;
  let end = params.batch * down * across;
  let number = (group.y * groups.x + group.x) * GROUP + lane;
  let id = min(number, end - 1u); // an invocation too many stores nothing
  let matrix = id / (across * down);
  let first = id / across % down * 16u;
  let column = id % across * 8u;
  let width = params.n / 4u;
  let last = width - 1u - column;
  let aBase = matrix * params.m * params.k / 4u;
  let bBase = matrix * params.k * width + column;
  let p0 = starts(aBase, first);
  let p1 = starts(aBase, first + 4u);
  let p2 = starts(aBase, first + 8u);
  let p3 = starts(aBase, first + 12u);
  var t0 = Rows();
  var t1 = Rows();
  var t2 = Rows();
  var t3 = Rows();
  for (var k = 0u; k < params.k; k = k + 4u) {
    let at = bBase + k * width;
    let right = Rows(
      rightRow(at, last),
      rightRow(at + width, last),
      rightRow(at + 2u * width, last),
      rightRow(at + 3u * width, last),
    );
    t0 = addRows(t0, leftOf(p0, k), right);
    t1 = addRows(t1, leftOf(p1, k), right);
    t2 = addRows(t2, leftOf(p2, k), right);
    t3 = addRows(t3, leftOf(p3, k), right);
  }
  let at = (matrix * params.m + first) * width + column;
  for (var i = 0u; i < select(min(16u, params.m - first), 0u, number >= end); i = i + 1u) {
    storeRow(at + i * width, last + 1u, rowOf(t0, t1, t2, t3, i));
  }
}
`,
  winograd: `// The transforms of Winograd's minimal filtering F(4×4, 3×3): a convolution with a 3×3 kernel and
// stride 1 becomes 36 matrix products, a quarter of the direct form's multiplications.
//
//   y = Aᵀ [ (G w Gᵀ) ⊙ (Bᵀ x B) ] A      for each tile of 4×4 outputs under 6×6 inputs
//   dw = Gᵀ [ Σ (Bᵀ x B) ⊙ (A dy Aᵀ) ] G
//
// Interpolation is at 0, ±3/4, ±3/2 and ∞, whose powers are exact and of similar size: the error is
// about twice that of a direct sum, where 0, ±1, ±2, ∞ make it five times that. (Toom-Cook: B holds
// the coefficients of ∏ (x − p) over the other points, A powers of p, G powers over ∏ (p − other).)
//
// A transformed map is [36, tiles, channels]. Tiles do not straddle images. Channels are multiples
// of 4. Each entry computes 4 channels of one tile, or of one weight, in registers.

struct Params {
  // The image that is cut into tiles, or that tiles make.
  height: u32,
  width: u32,
  channels: u32,
  // Pixels of zeros above and before.
  top: u32,
  left: u32,
  // Tiles of one image.
  down: u32,
  across: u32,
  // Of the \`total\` tiles of all images, those that the transformed map holds. Their number is a
  // multiple of 4: past the last tile of all there are zeros.
  first: u32,
  tiles: u32,
  total: u32,
  // Of x's group norm, if it has one.
  groups: u32,
  eps: f32,
}

override HAS_BIAS: bool = false;
override HAS_RESIDUAL: bool = false;
override NORMED: bool = false; // x is read through group norm
override SILU: bool = false; // and through SiLU
override DOUBLED: bool = false; // x is read at twice its height and width
override HALVED: bool = false; // y is that of DOUBLED: sums of 2 by 2
override GROUP: u32 = 16u;

alias X = f32; // as they are stored
alias Y = f32;
alias Residual = f32;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<X>>;
@group(0) @binding(2) var<storage, read> bias: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4<Y>>;
@group(0) @binding(4) var<storage, read> residual: array<vec4<Residual>>;
@group(0) @binding(5) var<storage, read> gamma: array<vec4f>;
@group(0) @binding(6) var<storage, read> beta: array<vec4f>;
@group(0) @binding(7) var<storage, read> mean: array<f32>; // [images, groups]
@group(0) @binding(8) var<storage, read> variance: array<f32>;

struct Three { a: vec4f, b: vec4f, c: vec4f }
struct Four { a: vec4f, b: vec4f, c: vec4f, d: vec4f }
struct Six { a: vec4f, b: vec4f, c: vec4f, d: vec4f, e: vec4f, f: vec4f }

// Bᵀ d
fn toFrequencies(d: Six) -> Six {
  let near = d.e - 2.25 * d.c;
  let nearOdd = 0.75 * (d.d - 2.25 * d.b);
  let far = d.e - 0.5625 * d.c;
  let farOdd = 1.5 * (d.d - 0.5625 * d.b);
  return Six(
    1.265625 * d.a - 2.8125 * d.c + d.e,
    near + nearOdd,
    near - nearOdd,
    far + farOdd,
    far - farOdd,
    1.265625 * d.b - 2.8125 * d.d + d.f,
  );
}

// Aᵀ m
fn toOutputs(m: Six) -> Four {
  let near = m.b + m.c;
  let nearOdd = 0.75 * (m.b - m.c);
  let far = m.d + m.e;
  let farOdd = 1.5 * (m.d - m.e);
  return Four(
    m.a + near + far,
    nearOdd + farOdd,
    0.5625 * near + 2.25 * far,
    0.5625 * nearOdd + 2.25 * farOdd + m.f,
  );
}

// A d
fn fromOutputs(d: Four) -> Six {
  let near = d.a + 0.5625 * d.c;
  let nearOdd = 0.75 * (d.b + 0.5625 * d.d);
  let far = d.a + 2.25 * d.c;
  let farOdd = 1.5 * (d.b + 2.25 * d.d);
  return Six(d.a, near + nearOdd, near - nearOdd, far + farOdd, far - farOdd, d.d);
}

const NEAR: f32 = -128.0 / 243.0;
const FAR: f32 = 32.0 / 243.0;
const ZERO: f32 = 64.0 / 81.0;

// G w
fn fromWeights(w: Three) -> Six {
  let near = NEAR * (w.a + 0.5625 * w.c);
  let nearOdd = NEAR * 0.75 * w.b;
  let far = FAR * (w.a + 2.25 * w.c);
  let farOdd = FAR * 1.5 * w.b;
  return Six(ZERO * w.a, near + nearOdd, near - nearOdd, far + farOdd, far - farOdd, w.c);
}

// Gᵀ s
fn toWeights(s: Six) -> Three {
  let near = NEAR * (s.b + s.c);
  let far = FAR * (s.d + s.e);
  return Three(
    ZERO * s.a + near + far,
    NEAR * 0.75 * (s.b - s.c) + FAR * 1.5 * (s.d - s.e),
    0.5625 * near + 2.25 * far + s.f,
  );
}

// Where 4 channels of a tile are.
struct Place {
  // Whether the transformed map has such a tile, and whether an image has it.
  exists: bool,
  isReal: bool,
  quad: u32,
  image: u32,
  // The tile's first output.
  row: u32,
  column: u32,
  // Its frequencies in the transformed map: the first, and the distance to the next.
  frequency: u32,
  apart: u32,
}

fn placeOf(id: u32) -> Place {
  let quads = params.channels / 4u;
  let tile = params.first + id / quads;
  let area = params.down * params.across;
  return Place(
    id < params.tiles * quads,
    tile < params.total,
    id % quads,
    tile / area,
    tile % area / params.across * 4u,
    tile % params.across * 4u,
    id,
    params.tiles * quads,
  );
}

fn storeRow(at: u32, apart: u32, v: Six) {
  y[at] = vec4<Y>(v.a);
  y[at + apart] = vec4<Y>(v.b);
  y[at + 2u * apart] = vec4<Y>(v.c);
  y[at + 3u * apart] = vec4<Y>(v.d);
  y[at + 4u * apart] = vec4<Y>(v.e);
  y[at + 5u * apart] = vec4<Y>(v.f);
}

fn loadRow(at: u32, apart: u32) -> Six {
  return Six(
    vec4f(x[at]),
    vec4f(x[at + apart]),
    vec4f(x[at + 2u * apart]),
    vec4f(x[at + 3u * apart]),
    vec4f(x[at + 4u * apart]),
    vec4f(x[at + 5u * apart]),
  );
}

fn storeFrequencies(p: Place, r0: Six, r1: Six, r2: Six, r3: Six, r4: Six, r5: Six) {
  storeRow(p.frequency, p.apart, r0);
  storeRow(p.frequency + 6u * p.apart, p.apart, r1);
  storeRow(p.frequency + 12u * p.apart, p.apart, r2);
  storeRow(p.frequency + 18u * p.apart, p.apart, r3);
  storeRow(p.frequency + 24u * p.apart, p.apart, r4);
  storeRow(p.frequency + 30u * p.apart, p.apart, r5);
}

// Whether a pixel of the padded image, counted from the padding's corner, is one of the image.
fn isInside(p: Place, row: u32, column: u32) -> bool {
  return p.isReal && row >= params.top && row < params.top + params.height &&
    column >= params.left && column < params.left + params.width;
}

// That pixel; zero in the padding.
fn pixel(p: Place, row: u32, column: u32) -> vec4f {
  let exists = isInside(p, row, column);
  let at = (p.image * params.height + row - params.top) * params.width + column - params.left;
  return select(vec4f(), vec4f(x[select(0u, at * (params.channels / 4u) + p.quad, exists)]), exists);
}

// What four channels of an image are normed by.
struct Norm { mean: vec4f, inverse: vec4f, weight: vec4f, bias: vec4f }

fn normOf(p: Place) -> Norm {
  if (!NORMED) {
    return Norm();
  }
  let channels = 4u * p.quad + vec4u(0u, 1u, 2u, 3u);
  let g = p.image * params.groups + channels / (params.channels / params.groups);
  let spread = vec4f(variance[g.x], variance[g.y], variance[g.z], variance[g.w]);
  return Norm(
    vec4f(mean[g.x], mean[g.y], mean[g.z], mean[g.w]),
    inverseSqrt(spread + params.eps),
    gamma[p.quad],
    beta[p.quad],
  );
}

// The pixel as the convolution sees it: the padding is not normed. As in group_norm.wgsl, to the bit.
fn sample(p: Place, by: Norm, row: u32, column: u32) -> vec4f {
  let value = pixel(p, row, column);
  if (!NORMED) {
    return value;
  }
  var z = (value - by.mean) * by.inverse * by.weight + by.bias;
  if (SILU) {
    let e = exp(-abs(z));
    z = z * (select(e, vec4f(1.0), z >= vec4f()) / (1.0 + e));
  }
  return select(vec4f(), z, isInside(p, row, column));
}

fn inputRow(p: Place, by: Norm, row: u32) -> Six {
  return toFrequencies(Six(
    sample(p, by, row, p.column),
    sample(p, by, row, p.column + 1u),
    sample(p, by, row, p.column + 2u),
    sample(p, by, row, p.column + 3u),
    sample(p, by, row, p.column + 4u),
    sample(p, by, row, p.column + 5u),
  ));
}

// A row of the doubled image, of which 6 pixels are 4 of x: its padding is 1, as is that of x.
fn doubledRow(p: Place, by: Norm, row: u32) -> Six {
  let first = p.column / 2u;
  let a = sample(p, by, row, first);
  let b = sample(p, by, row, first + 1u);
  let c = sample(p, by, row, first + 2u);
  let d = sample(p, by, row, first + 3u);
  return toFrequencies(Six(a, b, b, c, c, d));
}

fn storeInputs(p: Place, r0: Six, r1: Six, r2: Six, r3: Six, r4: Six, r5: Six) {
  storeFrequencies(
    p,
    toFrequencies(Six(r0.a, r1.a, r2.a, r3.a, r4.a, r5.a)),
    toFrequencies(Six(r0.b, r1.b, r2.b, r3.b, r4.b, r5.b)),
    toFrequencies(Six(r0.c, r1.c, r2.c, r3.c, r4.c, r5.c)),
    toFrequencies(Six(r0.d, r1.d, r2.d, r3.d, r4.d, r5.d)),
    toFrequencies(Six(r0.e, r1.e, r2.e, r3.e, r4.e, r5.e)),
    toFrequencies(Six(r0.f, r1.f, r2.f, r3.f, r4.f, r5.f)),
  );
}

// Bᵀ x B of every tile.
@compute @workgroup_size(GROUP)
fn inputs(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let p = placeOf((group.y * groups.x + group.x) * GROUP + lane);
  if (!p.exists) {
    return;
  }
  let by = normOf(p);
  if (DOUBLED) {
    let first = p.row / 2u;
    let a = doubledRow(p, by, first);
    let b = doubledRow(p, by, first + 1u);
    let c = doubledRow(p, by, first + 2u);
    let d = doubledRow(p, by, first + 3u);
    storeInputs(p, a, b, b, c, c, d);
  } else {
    storeInputs(
      p,
      inputRow(p, by, p.row),
      inputRow(p, by, p.row + 1u),
      inputRow(p, by, p.row + 2u),
      inputRow(p, by, p.row + 3u),
      inputRow(p, by, p.row + 4u),
      inputRow(p, by, p.row + 5u),
    );
  }
}

// An output of the tile; zero where the image ends before it.
fn output(p: Place, row: u32, column: u32) -> vec4f {
  let exists = p.isReal && row < params.height && column < params.width;
  let at = (p.image * params.height + row) * params.width + column;
  return select(vec4f(), vec4f(x[select(0u, at * (params.channels / 4u) + p.quad, exists)]), exists);
}

fn outputRow(p: Place, row: u32) -> Six {
  return fromOutputs(Four(
    output(p, row, p.column),
    output(p, row, p.column + 1u),
    output(p, row, p.column + 2u),
    output(p, row, p.column + 3u),
  ));
}

// A dy Aᵀ of every tile.
@compute @workgroup_size(GROUP)
fn cotangents(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let p = placeOf((group.y * groups.x + group.x) * GROUP + lane);
  if (!p.exists) {
    return;
  }
  let r0 = outputRow(p, p.row);
  let r1 = outputRow(p, p.row + 1u);
  let r2 = outputRow(p, p.row + 2u);
  let r3 = outputRow(p, p.row + 3u);
  let c0 = fromOutputs(Four(r0.a, r1.a, r2.a, r3.a));
  let c1 = fromOutputs(Four(r0.b, r1.b, r2.b, r3.b));
  let c2 = fromOutputs(Four(r0.c, r1.c, r2.c, r3.c));
  let c3 = fromOutputs(Four(r0.d, r1.d, r2.d, r3.d));
  let c4 = fromOutputs(Four(r0.e, r1.e, r2.e, r3.e));
  let c5 = fromOutputs(Four(r0.f, r1.f, r2.f, r3.f));
  storeFrequencies(p, c0, c1, c2, c3, c4, c5);
}

fn storeOutput(p: Place, row: u32, column: u32, value: vec4f) {
  if (row < params.height && column < params.width) {
    let pixel = (p.image * params.height + row) * params.width + column;
    let at = pixel * (params.channels / 4u) + p.quad;
    var sum = value;
    if (HAS_BIAS) {
      sum = sum + bias[p.quad];
    }
    if (HAS_RESIDUAL) {
      sum = sum + vec4f(residual[at]);
    }
    y[at] = vec4<Y>(sum);
  }
}

fn storeOutputs(p: Place, row: u32, v: Four) {
  storeOutput(p, row, p.column, v.a);
  storeOutput(p, row, p.column + 1u, v.b);
  storeOutput(p, row, p.column + 2u, v.c);
  storeOutput(p, row, p.column + 3u, v.d);
}

// Two rows of y as one of half as many pixels.
fn storeHalved(p: Place, row: u32, above: Four, below: Four) {
  let column = p.column / 2u;
  storeOutput(p, row, column, (above.a + above.b) + (below.a + below.b));
  storeOutput(p, row, column + 1u, (above.c + above.d) + (below.c + below.d));
}

// Aᵀ m A of every tile, and what is added to it.
@compute @workgroup_size(GROUP)
fn outputs(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let p = placeOf((group.y * groups.x + group.x) * GROUP + lane);
  if (!p.exists || !p.isReal) {
    return;
  }
  let c0 = toOutputs(loadRow(p.frequency, p.apart));
  let c1 = toOutputs(loadRow(p.frequency + 6u * p.apart, p.apart));
  let c2 = toOutputs(loadRow(p.frequency + 12u * p.apart, p.apart));
  let c3 = toOutputs(loadRow(p.frequency + 18u * p.apart, p.apart));
  let c4 = toOutputs(loadRow(p.frequency + 24u * p.apart, p.apart));
  let c5 = toOutputs(loadRow(p.frequency + 30u * p.apart, p.apart));
  let r0 = toOutputs(Six(c0.a, c1.a, c2.a, c3.a, c4.a, c5.a));
  let r1 = toOutputs(Six(c0.b, c1.b, c2.b, c3.b, c4.b, c5.b));
  let r2 = toOutputs(Six(c0.c, c1.c, c2.c, c3.c, c4.c, c5.c));
  let r3 = toOutputs(Six(c0.d, c1.d, c2.d, c3.d, c4.d, c5.d));
  if (HALVED) {
    storeHalved(p, p.row / 2u, r0, r1);
    storeHalved(p, p.row / 2u + 1u, r2, r3);
  } else {
    storeOutputs(p, p.row, r0);
    storeOutputs(p, p.row + 1u, r1);
    storeOutputs(p, p.row + 2u, r2);
    storeOutputs(p, p.row + 3u, r3);
  }
}

fn weightRow(first: u32, apart: u32) -> Six {
  return fromWeights(Three(vec4f(x[first]), vec4f(x[first + apart]), vec4f(x[first + 2u * apart])));
}

// G w Gᵀ: [3, 3, size] to [36, size], where \`tiles\` is cin and \`channels\` cout.
@compute @workgroup_size(GROUP)
fn weights(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let p = placeOf((group.y * groups.x + group.x) * GROUP + lane);
  if (!p.exists) {
    return;
  }
  let r0 = weightRow(p.frequency, p.apart);
  let r1 = weightRow(p.frequency + 3u * p.apart, p.apart);
  let r2 = weightRow(p.frequency + 6u * p.apart, p.apart);
  let c0 = fromWeights(Three(r0.a, r1.a, r2.a));
  let c1 = fromWeights(Three(r0.b, r1.b, r2.b));
  let c2 = fromWeights(Three(r0.c, r1.c, r2.c));
  let c3 = fromWeights(Three(r0.d, r1.d, r2.d));
  let c4 = fromWeights(Three(r0.e, r1.e, r2.e));
  let c5 = fromWeights(Three(r0.f, r1.f, r2.f));
  storeFrequencies(p, c0, c1, c2, c3, c4, c5);
}

// Gᵀ s G: the way back, [36, size] to [3, 3, size].
@compute @workgroup_size(GROUP)
fn weightGradient(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let p = placeOf((group.y * groups.x + group.x) * GROUP + lane);
  if (!p.exists) {
    return;
  }
  let c0 = toWeights(loadRow(p.frequency, p.apart));
  let c1 = toWeights(loadRow(p.frequency + 6u * p.apart, p.apart));
  let c2 = toWeights(loadRow(p.frequency + 12u * p.apart, p.apart));
  let c3 = toWeights(loadRow(p.frequency + 18u * p.apart, p.apart));
  let c4 = toWeights(loadRow(p.frequency + 24u * p.apart, p.apart));
  let c5 = toWeights(loadRow(p.frequency + 30u * p.apart, p.apart));
  let r0 = toWeights(Six(c0.a, c1.a, c2.a, c3.a, c4.a, c5.a));
  let r1 = toWeights(Six(c0.b, c1.b, c2.b, c3.b, c4.b, c5.b));
  let r2 = toWeights(Six(c0.c, c1.c, c2.c, c3.c, c4.c, c5.c));
  let at = p.frequency;
  y[at] = vec4<Y>(r0.a);
  y[at + p.apart] = vec4<Y>(r0.b);
  y[at + 2u * p.apart] = vec4<Y>(r0.c);
  y[at + 3u * p.apart] = vec4<Y>(r1.a);
  y[at + 4u * p.apart] = vec4<Y>(r1.b);
  y[at + 5u * p.apart] = vec4<Y>(r1.c);
  y[at + 6u * p.apart] = vec4<Y>(r2.a);
  y[at + 7u * p.apart] = vec4<Y>(r2.b);
  y[at + 8u * p.apart] = vec4<Y>(r2.c);
}
`,
};

/** A kernel family: the name of a .wgsl file in kernels/. */
export type KernelName =
  | "accumulate"
  | "adamw"
  | "argmax"
  | "attention"
  | "binary"
  | "cast"
  | "code_counts"
  | "column_sums"
  | "conv2d"
  | "conv2d_grad"
  | "copy"
  | "crop"
  | "ema"
  | "fill"
  | "fit"
  | "gather"
  | "gradients"
  | "group_norm"
  | "guard"
  | "matmul"
  | "max_pool"
  | "pack"
  | "panels"
  | "project"
  | "reduce"
  | "resample"
  | "row_norm"
  | "scatter_add"
  | "softmax"
  | "stream"
  | "stream_finish"
  | "sum_rows"
  | "unary"
  | "wide_product"
  | "winograd";
