// Work on up to seven gradients at once, a block of 1024 neighbours of one of them a workgroup: their
// squares for the norm of all, in fixed order, or a copy of them as they lie on a page.

// n: the elements of each; first: where the dispatch's blocks begin among all of them.
struct Params {
  n0: u32, n1: u32, n2: u32, n3: u32, n4: u32, n5: u32, n6: u32,
  first: u32,
  count: u32,
  max_norm: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x0: array<f32>;
@group(0) @binding(2) var<storage, read> x1: array<f32>;
@group(0) @binding(3) var<storage, read> x2: array<f32>;
@group(0) @binding(4) var<storage, read> x3: array<f32>;
@group(0) @binding(5) var<storage, read> x4: array<f32>;
@group(0) @binding(6) var<storage, read> x5: array<f32>;
@group(0) @binding(7) var<storage, read> x6: array<f32>;
@group(0) @binding(8) var<storage, read_write> partial: array<f32>;
@group(0) @binding(9) var<storage, read_write> page: array<f32>;
@group(0) @binding(10) var<storage, read> sums: array<f32>;
@group(0) @binding(11) var<storage, read_write> norm: array<f32>;
@group(0) @binding(12) var<storage, read_write> coefficient: array<f32>;

const BLOCK = 1024u;

var<workgroup> part: array<f32, 64>;

// Which gradient a block belongs to (7: none), where in it the block begins, and how long it is.
struct Place { source: u32, begin: u32, size: u32 }

fn blocks(size: u32) -> u32 {
  return (size + BLOCK - 1u) / BLOCK;
}

fn locate(index: u32) -> Place {
  var block = index;
  if (block < blocks(params.n0)) { return Place(0u, block * BLOCK, params.n0); }
  block -= blocks(params.n0);
  if (block < blocks(params.n1)) { return Place(1u, block * BLOCK, params.n1); }
  block -= blocks(params.n1);
  if (block < blocks(params.n2)) { return Place(2u, block * BLOCK, params.n2); }
  block -= blocks(params.n2);
  if (block < blocks(params.n3)) { return Place(3u, block * BLOCK, params.n3); }
  block -= blocks(params.n3);
  if (block < blocks(params.n4)) { return Place(4u, block * BLOCK, params.n4); }
  block -= blocks(params.n4);
  if (block < blocks(params.n5)) { return Place(5u, block * BLOCK, params.n5); }
  block -= blocks(params.n5);
  if (block < blocks(params.n6)) { return Place(6u, block * BLOCK, params.n6); }
  return Place(7u, 0u, 0u);
}

fn element(source: u32, i: u32) -> f32 {
  switch source {
    case 0u: { return x0[i]; }
    case 1u: { return x1[i]; }
    case 2u: { return x2[i]; }
    case 3u: { return x3[i]; }
    case 4u: { return x4[i]; }
    case 5u: { return x5[i]; }
    default: { return x6[i]; }
  }
}

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
  let place = locate(block);
  let last = min(place.size, place.begin + BLOCK);
  var total = 0.0;
  for (var i = place.begin + lane; i < last; i += 64u) {
    let x = element(place.source, i);
    total += x * x;
  }
  part[lane] = total;
  join(lane);
  if (lane == 0u && place.source < 7u) {
    partial[params.first + block] = part[0];
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

// Zeros follow a gradient up to its next block.
@compute @workgroup_size(64)
fn lay(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let block = group.y * groups.x + group.x;
  let place = locate(block);
  if (place.source == 7u) {
    return;
  }
  for (var i = lane; i < BLOCK; i += 64u) {
    var x = 0.0;
    if (place.begin + i < place.size) {
      x = element(place.source, place.begin + i);
    }
    page[(params.first + block) * BLOCK + i] = x;
  }
}
