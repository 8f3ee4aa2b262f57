// Rows of matrices as panels: y[i, panel, column, r] = x[i, first + start + r, column], 16 rows a panel.
//
// A panel starts 16 rows after the one before; the last starts as far before the end, in steps of 4.
// Past the last row that is taken there are zeros. The rows of x have a multiple of 4 elements. One
// invocation turns a block of 4 by 4, sixteen neighbours one of 16 by 16: whole lines of a cache, of
// which only few fit where rows lie powers of 2 apart.

struct Params {
  count: u32,
  // Of one matrix of x.
  rows: u32,
  columns: u32,
  // The rows that are taken: 13 at least.
  first: u32,
  taken: u32,
}

override GROUP: u32 = 16u; // a multiple of 16

alias X = f32; // as it is stored

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<X>>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4f>;

@compute @workgroup_size(GROUP)
fn pack(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let id = (group.y * groups.x + group.x) * GROUP + lane;
  let height = (params.taken + 3u) / 4u;
  let across = params.columns / 4u;
  let panels = (height + 3u) / 4u;
  let groupsAcross = (across + 3u) / 4u;
  let square = id / 16u;
  let matrix = square / (panels * groupsAcross);
  let panel = square / groupsAcross % panels;
  let quad = square % groupsAcross * 4u + id / 4u % 4u;
  let block = id % 4u;
  if (matrix >= params.count || quad >= across) {
    return;
  }
  let row = vec4u(0u, 1u, 2u, 3u) + (min(panel * 4u, height - 4u) + block) * 4u;
  let exists = row < vec4u(params.taken);
  let base = (matrix * params.rows + params.first) * across + quad;
  let at = base + select(vec4u(), row, exists) * across;
  let turned = transpose(mat4x4f(
    select(vec4f(), vec4f(x[at.x]), exists.x),
    select(vec4f(), vec4f(x[at.y]), exists.y),
    select(vec4f(), vec4f(x[at.z]), exists.z),
    select(vec4f(), vec4f(x[at.w]), exists.w),
  ));
  let to = ((matrix * panels + panel) * params.columns + quad * 4u) * 4u + block;
  y[to] = turned[0];
  y[to + 4u] = turned[1];
  y[to + 8u] = turned[2];
  y[to + 12u] = turned[3];
}
