// Counts how often each code was chosen. Sums of integers do not depend on the order of their terms.

struct Params { size: u32, codes: u32, first: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> indices: array<u32>;
@group(0) @binding(2) var<storage, read_write> counts: array<atomic<u32>>; // from `first`, [codes]

@compute @workgroup_size(64)
fn add(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i < params.size) {
    atomicAdd(&counts[params.first + min(indices[i], params.codes - 1u)], 1u);
  }
}
