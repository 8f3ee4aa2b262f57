// Copies matrices into others with more or fewer rows and columns: zeros where the source has none.
// With `flip`, a stack of matrices is read from the last to the first and each one transposed; `flip4`
// does the same where all extents are multiples of 4.

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
@group(0) @binding(3) var<storage, read> x_quads: array<vec4<Element>>;
@group(0) @binding(4) var<storage, read_write> y_quads: array<vec4<Element>>;

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

// One invocation turns a block of 4 by 4, sixteen neighbours one of 16 by 16: whole lines of a cache on
// both sides.
@compute @workgroup_size(64)
fn flip4(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let id = (group.y * groups.x + group.x) * 64u + lane;
  let height = params.toRows / 4u; // of y, in blocks
  let width = params.toColumns / 4u;
  let across = (width + 3u) / 4u; // blocks of 16 by 16
  let squares = (height + 3u) / 4u * across;
  let square = id / 16u;
  let matrix = square / squares;
  let row = square % squares / across * 4u + id % 4u;
  let column = square % across * 4u + id / 4u % 4u;
  if (matrix >= params.count || row >= height || column >= width) {
    return;
  }
  var a = vec4<Element>();
  var b = vec4<Element>();
  var c = vec4<Element>();
  var d = vec4<Element>();
  if (column * 4u < params.rows && row * 4u < params.columns) {
    let apart = params.columns / 4u;
    let at = ((params.count - 1u - matrix) * params.rows + column * 4u) * apart + row;
    a = x_quads[at];
    b = x_quads[at + apart];
    c = x_quads[at + 2u * apart];
    d = x_quads[at + 3u * apart];
  }
  let to = (matrix * params.toRows + row * 4u) * width + column;
  y_quads[to] = vec4<Element>(a.x, b.x, c.x, d.x);
  y_quads[to + width] = vec4<Element>(a.y, b.y, c.y, d.y);
  y_quads[to + 2u * width] = vec4<Element>(a.z, b.z, c.z, d.z);
  y_quads[to + 3u * width] = vec4<Element>(a.w, b.w, c.w, d.w);
}
