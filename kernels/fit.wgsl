// Copies matrices into others with more or fewer rows and columns: zeros where the source has none.
// With `flip`, a stack of matrices is read from the last to the first and each one transposed.

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
