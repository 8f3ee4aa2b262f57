// Sums the values of all tokens that share a row, in ascending order of tokens.
//
// The tokens are first sorted by row with a stable radix sort (`count`, `scan` and `place` for each
// digit), which makes a row's tokens a list. A list is then summed in pieces of 64 by its positions:
// `sum_values` sums tokens, `sum_partials` sums 64 sums of the level below, and so on. Where a list is
// split depends on the position in it alone, so one long list is as fast as many short ones and the
// result never depends on timing.

const BLOCK = 128u; // tokens whose order `place` settles among themselves
const PIECE = 64u;

override ADD: bool = false; // the table holds numbers to which the sums are added
override FIRST: bool = false; // the first digit: the tokens are still in their own order

// blocks: ceil(tokens / BLOCK); counters: bins times blocks; channels: in quads;
// span: how many positions of a list one partial sum of the level below stands for.
struct Params {
  tokens: u32,
  rows: u32,
  shift: u32,
  mask: u32,
  blocks: u32,
  counters: u32,
  channels: u32,
  span: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> keys: array<u32>;
@group(0) @binding(2) var<storage, read> key_quads: array<vec4u>;
@group(0) @binding(3) var<storage, read> order: array<u32>;
@group(0) @binding(4) var<storage, read_write> tallies: array<atomic<u32>>; // [bins, blocks]
@group(0) @binding(5) var<storage, read_write> offsets: array<u32>; // the same, summed up
@group(0) @binding(6) var<storage, read> placed_offsets: array<u32>;
@group(0) @binding(7) var<storage, read_write> sorted_keys: array<u32>;
@group(0) @binding(8) var<storage, read_write> sorted_order: array<u32>;
@group(0) @binding(9) var<storage, read_write> new_starts: array<u32>;
@group(0) @binding(10) var<storage, read> starts: array<u32>; // one more than a list's start; 0: no list
@group(0) @binding(11) var<storage, read> values: array<vec4f>;
@group(0) @binding(12) var<storage, read_write> partials: array<vec4f>;
@group(0) @binding(13) var<storage, read> sums: array<vec4f>;
@group(0) @binding(14) var<storage, read_write> table: array<vec4f>;

fn clamp_key(key: u32) -> u32 {
  return min(key, params.rows - 1u);
}

// Integer sums do not depend on the order of their terms.
@compute @workgroup_size(64)
fn count(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i < params.tokens) {
    let digit = (clamp_key(keys[i]) >> params.shift) & params.mask;
    atomicAdd(&tallies[digit * params.blocks + i / BLOCK], 1u);
  }
}

const SCANNERS = 256u;
var<workgroup> totals: array<u32, SCANNERS>;

// Replaces each counter by the sum of those before it; one workgroup.
@compute @workgroup_size(SCANNERS)
fn scan(@builtin(local_invocation_index) lane: u32) {
  let each = (params.counters + SCANNERS - 1u) / SCANNERS;
  let first = lane * each;
  let end = min(first + each, params.counters);
  var total = 0u;
  for (var i = first; i < end; i++) {
    total += offsets[i];
  }
  totals[lane] = total;
  workgroupBarrier();
  if (lane == 0u) {
    var before = 0u;
    for (var i = 0u; i < SCANNERS; i++) {
      let own = totals[i];
      totals[i] = before;
      before += own;
    }
  }
  workgroupBarrier();
  var before = totals[lane];
  for (var i = first; i < end; i++) {
    let own = offsets[i];
    offsets[i] = before;
    before += own;
  }
}

fn digits(quad: u32) -> vec4u {
  let rows = vec4u(params.rows - 1u);
  return (min(key_quads[quad], rows) >> vec4u(params.shift)) & vec4u(params.mask);
}

// A token goes behind those of lower digits, of earlier blocks, and earlier in its block.
@compute @workgroup_size(64)
fn place(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i >= params.tokens) {
    return;
  }
  let own_quad = i / 4u;
  let digit = digits(own_quad)[i % 4u];
  var before = vec4u(0u);
  for (var quad = i / BLOCK * (BLOCK / 4u); quad < own_quad; quad++) {
    before += select(vec4u(0u), vec4u(1u), digits(quad) == vec4u(digit));
  }
  let earlier = vec4u(0u, 1u, 2u, 3u) < vec4u(i % 4u);
  before += select(vec4u(0u), vec4u(1u), earlier & (digits(own_quad) == vec4u(digit)));
  let rank = before.x + before.y + before.z + before.w;
  let to = placed_offsets[digit * params.blocks + i / BLOCK] + rank;
  sorted_keys[to] = clamp_key(key_quads[own_quad][i % 4u]);
  sorted_order[to] = select(order[i], i, FIRST);
}

@compute @workgroup_size(64)
fn mark_starts(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i < params.tokens) {
    if (i == 0u || keys[i] != keys[max(i, 1u) - 1u]) {
      new_starts[keys[i]] = i + 1u;
    }
  }
}

@compute @workgroup_size(64)
fn sum_values(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let thread = (group.y * groups.x + group.x) * 64u + lane;
  let i = thread / params.channels;
  if (i >= params.tokens) {
    return;
  }
  let key = keys[i];
  if ((i + 1u - starts[key]) % PIECE != 0u) {
    return;
  }
  let channel = thread % params.channels;
  var total = values[order[i] * params.channels + channel];
  for (var at = i + 1u; at < min(i + PIECE, params.tokens); at++) {
    if (keys[at] != key) {
      break;
    }
    total += values[order[at] * params.channels + channel];
  }
  partials[thread] = total;
}

@compute @workgroup_size(64)
fn sum_partials(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let thread = (group.y * groups.x + group.x) * 64u + lane;
  let i = thread / params.channels;
  if (i >= params.tokens) {
    return;
  }
  let key = keys[i];
  if ((i + 1u - starts[key]) % (PIECE * params.span) != 0u) {
    return;
  }
  var total = partials[thread];
  for (var k = 1u; k < PIECE; k++) {
    let at = i + k * params.span;
    if (at >= params.tokens || keys[at] != key) {
      break;
    }
    total += partials[thread + k * params.span * params.channels];
  }
  partials[thread] = total;
}

@compute @workgroup_size(64)
fn write_table(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let thread = (group.y * groups.x + group.x) * 64u + lane;
  let row = thread / params.channels;
  if (row >= params.rows) {
    return;
  }
  let start = starts[row];
  var total = vec4f(0.0);
  if (start > 0u) {
    total = sums[(start - 1u) * params.channels + thread % params.channels];
  }
  if (ADD) {
    total += table[thread];
  }
  table[thread] = total;
}
