// Layer and RMS normalisation of rows. LANES threads share a row: each adds every LANES-th element, and a
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
