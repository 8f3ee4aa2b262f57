// Sums the rows of a matrix, `chunk` at a time, in rising order: [rows, columns] to [parts, columns].

struct Params {
  rows: u32,
  columns: u32,
  parts: u32,
  chunk: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

override GROUP: u32 = 16u;

@compute @workgroup_size(GROUP)
fn sum(
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
    total = total + x[row * params.columns + column];
  }
  y[i] = total;
}
