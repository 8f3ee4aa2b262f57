// What the passes of stream.wgsl found in their chunks, put together: one invocation a token or a code.

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
