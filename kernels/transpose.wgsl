// Rows of matrices as columns: y[i, column, row] = x[i, first + row, column].
//
// The rows of x have a multiple of 4 elements, and those of y: past the last row that is taken they
// are zero. One invocation turns a block of 4 by 4.

struct Params {
  count: u32,
  // Of one matrix of x.
  rows: u32,
  columns: u32,
  // The rows that are taken.
  first: u32,
  taken: u32,
}

override GROUP: u32 = 16u;

alias Quad = vec4f;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<Quad>;
@group(0) @binding(2) var<storage, read_write> y: array<Quad>;

@compute @workgroup_size(GROUP)
fn transpose4(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let id = (group.y * groups.x + group.x) * GROUP + lane;
  let across = params.columns / 4u;
  let down = (params.taken + 3u) / 4u;
  let matrix = id / (across * down);
  if (matrix >= params.count) {
    return;
  }
  // Neighbours write side by side.
  let block = id % down;
  let quad = id / down % across;
  let row = vec4u(0u, 1u, 2u, 3u) + block * 4u;
  let exists = row < vec4u(params.taken);
  let base = (matrix * params.rows + params.first) * across + quad;
  let at = base + select(vec4u(), row, exists) * across;
  let turned = transpose(mat4x4f(
    select(vec4f(), vec4f(x[at.x]), exists.x),
    select(vec4f(), vec4f(x[at.y]), exists.y),
    select(vec4f(), vec4f(x[at.z]), exists.z),
    select(vec4f(), vec4f(x[at.w]), exists.w),
  ));
  let to = (matrix * params.columns + quad * 4u) * down + block;
  y[to] = Quad(turned[0]);
  y[to + down] = Quad(turned[1]);
  y[to + 2u * down] = Quad(turned[2]);
  y[to + 3u * down] = Quad(turned[3]);
}
