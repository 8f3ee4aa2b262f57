// Rows of a table by index. An index past the end reads the last row.

// items: threads; channels: in quads for `quads`.
struct Params { items: u32, rows: u32, channels: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> indices: array<u32>;
@group(0) @binding(2) var<storage, read> from_scalars: array<f32>;
@group(0) @binding(3) var<storage, read> from_quads: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> to_scalars: array<f32>;
@group(0) @binding(5) var<storage, read_write> to_quads: array<vec4f>;

fn source(i: u32) -> u32 {
  let row = min(indices[i / params.channels], params.rows - 1u);
  return row * params.channels + i % params.channels;
}

@compute @workgroup_size(64)
fn scalars(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i < params.items) {
    to_scalars[i] = from_scalars[source(i)];
  }
}

@compute @workgroup_size(64)
fn quads(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i < params.items) {
    to_quads[i] = from_quads[source(i)];
  }
}
