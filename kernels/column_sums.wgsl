// Sums of two arrays [batches, rows, columns] over their rows, in fixed order.
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
