// Watches a step for numbers that are not finite without the host: the first one found is noted, once
// and for all, and from then on no optimizer moves anything.

// count: how many values there are; base: the number of the first among all that are watched.
struct Params { count: u32, base: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> values: array<f32>;
@group(0) @binding(2) var<storage, read> now: array<u32>;
@group(0) @binding(3) var<storage, read_write> fault: array<u32>;
@group(0) @binding(4) var<storage, read_write> coefficient: array<f32>;

const STEP = 0u;
const INDEX = 1u;
const NONE = 0xffffffffu;
const EXPONENT = 0x7f800000u;

var<workgroup> found: array<u32, 64>;

// By its bits: a comparison of a number with itself may be compiled away.
fn is_finite(x: f32) -> bool {
  return (bitcast<u32>(x) & EXPONENT) != EXPONENT;
}

@compute @workgroup_size(64)
fn check(@builtin(local_invocation_index) lane: u32) {
  var first = NONE;
  for (var i = lane; i < params.count; i += 64u) {
    if (!is_finite(values[i])) {
      first = min(first, i);
    }
  }
  found[lane] = first;
  workgroupBarrier();
  for (var half = 32u; half > 0u; half >>= 1u) {
    if (lane < half) {
      found[lane] = min(found[lane], found[lane + half]);
    }
    workgroupBarrier();
  }
  if (lane == 0u && found[0] != NONE && fault[STEP] == 0u) {
    fault[STEP] = now[0];
    fault[INDEX] = params.base + found[0];
  }
}

// A negative coefficient tells the optimizer to leave everything as it is.
@compute @workgroup_size(1)
fn halt() {
  if (fault[STEP] != 0u) {
    coefficient[0] = -1.0;
  }
}
