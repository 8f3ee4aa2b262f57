// Softmax and log-softmax over rows. LANES threads share a row: each goes once over every LANES-th
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
