// The norm of many tensors together and the factor that clips it, in fixed order: each workgroup adds
// the squares of 1024 neighbours, then one workgroup adds those sums.

struct Params { size: u32, offset: u32, count: u32, max_norm: f32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> partial: array<f32>;
@group(0) @binding(3) var<storage, read> sums: array<f32>;
@group(0) @binding(4) var<storage, read_write> norm: array<f32>;
@group(0) @binding(5) var<storage, read_write> coefficient: array<f32>;

var<workgroup> part: array<f32, 64>;

// Leaves the total of the 64 lanes' parts in part[0].
fn join(lane: u32) {
  workgroupBarrier();
  for (var half = 32u; half > 0u; half >>= 1u) {
    if (lane < half) {
      part[lane] += part[lane + half];
    }
    workgroupBarrier();
  }
}

@compute @workgroup_size(64)
fn squares(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let block = group.y * groups.x + group.x;
  let first = block * 1024u + lane;
  let last = min(params.size, block * 1024u + 1024u);
  var total = 0.0;
  for (var i = first; i < last; i += 64u) {
    total += x[i] * x[i];
  }
  part[lane] = total;
  join(lane);
  if (lane == 0u && block * 1024u < params.size) {
    partial[params.offset + block] = part[0];
  }
}

@compute @workgroup_size(64)
fn finish(@builtin(local_invocation_index) lane: u32) {
  var total = 0.0;
  for (var i = lane; i < params.count; i += 64u) {
    total += sums[i];
  }
  part[lane] = total;
  join(lane);
  if (lane == 0u) {
    norm[0] = sqrt(part[0]);
    coefficient[0] = min(1.0, params.max_norm / (norm[0] + 1e-6));
  }
}
