// Sums the rows of a matrix, `chunk` at a time, in rising order: [rows, columns] to
// [parts, columns]. `quads` takes 4 columns at once, where their number is a multiple of 4.

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
