// The index of the largest element along the middle axis of [outer, length, inner]; the lowest of equals.
//
// A thread searches one chunk; where there are several, `merge` compares their winners.

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
