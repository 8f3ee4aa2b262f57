// Sums and maxima along the middle axis of [outer, length, inner].
//
// A thread folds one chunk of 256 elements, or a quad of neighbouring columns of one, and writes to
// [outer, chunks, inner]; the host calls again until one chunk is left. Inside a chunk the order is
// the same in every entry: blocks of 16, each folded as a tree, one after another. So a result depends
// on its own elements alone, and rounding errors grow with the tree, not with the length.

override OP: u32 = 0u;

const SUM = 0u;
const CHUNK = 256u;

// items: threads; inner: in quads for `columns`; identity: what an absent element counts as.
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
