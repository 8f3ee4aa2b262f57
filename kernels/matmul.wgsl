// y = op(a) op(b) + bias for a batch of matrices, row-major.
//
// Every row of a, b and y has a multiple of 4 elements; the host pads where it has not. Loads past
// an edge repeat a valid one and their results are not stored.
// Each output element is one chain of fused multiply-adds over k in rising order, in both entries
// and wherever it lies in its tile: equal rows of a give equal bits, whatever else is in y.

struct Params {
  m: u32,
  n: u32,
  k: u32,
  // Distance from one matrix of the batch to the next, in vec4; 0 where all share one.
  aBatch: u32,
  bBatch: u32,
  batch: u32,
  // k is cut into `splits` parts of `chunk` each; every part writes its own y.
  splits: u32,
  chunk: u32,
}

override TRANSPOSE_A: bool = false; // a is stored as [k, m]
override TRANSPOSE_B: bool = false; // b is stored as [n, k]
override RAGGED: bool = false; // k is no multiple of 4
override HAS_BIAS: bool = false;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<vec4f>;
@group(0) @binding(2) var<storage, read> b: array<vec4f>;
@group(0) @binding(3) var<storage, read> bias: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> y: array<vec4f>;

fn quads(extent: u32) -> u32 {
  return (extent + 3u) / 4u;
}

// Where 4 neighbouring rows of a matrix with k columns begin, in vec4. In a matrix with k rows they
// are columns, side by side in one vec4, of which x is the place.
fn starts(sideBySide: bool, first: u32, extent: u32) -> vec4u {
  if (sideBySide) {
    return vec4u(min(first / 4u, quads(extent) - 1u));
  }
  return min(vec4u(first, first + 1u, first + 2u, first + 3u), vec4u(extent - 1u)) *
    quads(params.k);
}

// 4 rows of op(a) by 4 steps of k: column i holds the rows' elements at k + i.
fn blockOfA(base: u32, at: vec4u, k: u32, end: u32) -> mat4x4f {
  if (TRANSPOSE_A) {
    let stride = quads(params.m);
    let place = base + k * stride + at.x;
    if (RAGGED) {
      let zero = vec4f();
      let one = select(0u, stride, k + 1u < end);
      let two = select(0u, 2u * stride, k + 2u < end);
      let three = select(0u, 3u * stride, k + 3u < end);
      return mat4x4f(
        a[place],
        select(zero, a[place + one], one > 0u),
        select(zero, a[place + two], two > 0u),
        select(zero, a[place + three], three > 0u),
      );
    }
    return mat4x4f(
      a[place],
      a[place + stride],
      a[place + 2u * stride],
      a[place + 3u * stride],
    );
  }
  let place = base + k / 4u;
  return transpose(mat4x4f(a[place + at.x], a[place + at.y], a[place + at.z], a[place + at.w]));
}

// 4 steps of k by 4 columns of op(b): column i holds the columns' elements at k + i.
fn blockOfB(base: u32, at: vec4u, k: u32, end: u32) -> mat4x4f {
  if (TRANSPOSE_B) {
    let place = base + k / 4u;
    return transpose(mat4x4f(b[place + at.x], b[place + at.y], b[place + at.z], b[place + at.w]));
  }
  let stride = quads(params.n);
  let place = base + k * stride + at.x;
  if (RAGGED) {
    let zero = vec4f();
    let one = select(0u, stride, k + 1u < end);
    let two = select(0u, 2u * stride, k + 2u < end);
    let three = select(0u, 3u * stride, k + 3u < end);
    return mat4x4f(
      b[place],
      select(zero, b[place + one], one > 0u),
      select(zero, b[place + two], two > 0u),
      select(zero, b[place + three], three > 0u),
    );
  }
  return mat4x4f(
    b[place],
    b[place + stride],
    b[place + 2u * stride],
    b[place + 3u * stride],
  );
}

// ---- One invocation computes 8 rows by 8 columns in registers: for adapters whose loads are slow
// and whose workgroup memory is no faster than other memory (software rasterizers).

struct Tile {
  r0: vec4f, r1: vec4f, r2: vec4f, r3: vec4f, r4: vec4f, r5: vec4f, r6: vec4f, r7: vec4f,
  s0: vec4f, s1: vec4f, s2: vec4f, s3: vec4f, s4: vec4f, s5: vec4f, s6: vec4f, s7: vec4f,
}

fn step(t: ptr<function, Tile>, top: vec4f, low: vec4f, left: vec4f, right: vec4f) {
  (*t).r0 = fma(vec4f(top.x), left, (*t).r0);
  (*t).r1 = fma(vec4f(top.y), left, (*t).r1);
  (*t).r2 = fma(vec4f(top.z), left, (*t).r2);
  (*t).r3 = fma(vec4f(top.w), left, (*t).r3);
  (*t).r4 = fma(vec4f(low.x), left, (*t).r4);
  (*t).r5 = fma(vec4f(low.y), left, (*t).r5);
  (*t).r6 = fma(vec4f(low.z), left, (*t).r6);
  (*t).r7 = fma(vec4f(low.w), left, (*t).r7);
  (*t).s0 = fma(vec4f(top.x), right, (*t).s0);
  (*t).s1 = fma(vec4f(top.y), right, (*t).s1);
  (*t).s2 = fma(vec4f(top.z), right, (*t).s2);
  (*t).s3 = fma(vec4f(top.w), right, (*t).s3);
  (*t).s4 = fma(vec4f(low.x), right, (*t).s4);
  (*t).s5 = fma(vec4f(low.y), right, (*t).s5);
  (*t).s6 = fma(vec4f(low.z), right, (*t).s6);
  (*t).s7 = fma(vec4f(low.w), right, (*t).s7);
}

fn store(matrix: u32, row: u32, quad: u32, value: vec4f) {
  let width = quads(params.n);
  if (row < params.m && quad < width) {
    var sum = value;
    if (HAS_BIAS) {
      sum = sum + bias[quad];
    }
    y[(matrix * params.m + row) * width + quad] = sum;
  }
}

override GROUP: u32 = 16u;

@compute @workgroup_size(GROUP)
fn registers(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let id = (group.y * groups.x + group.x) * GROUP + lane;
  let across = (params.n + 7u) / 8u;
  let down = (params.m + 7u) / 8u;
  let matrix = id / (across * down);
  if (matrix >= params.batch * params.splits) {
    return;
  }
  let column = (id % across) * 8u;
  let row = (id / across) % down * 8u;
  let inBatch = matrix % params.batch;
  let begin = matrix / params.batch * params.chunk;
  let end = min(begin + params.chunk, params.k);
  let aBase = inBatch * params.aBatch;
  let bBase = inBatch * params.bBatch;
  let aTop = starts(TRANSPOSE_A, row, params.m);
  let aLow = starts(TRANSPOSE_A, row + 4u, params.m);
  let bLeft = starts(!TRANSPOSE_B, column, params.n);
  let bRight = starts(!TRANSPOSE_B, column + 4u, params.n);
  var t = Tile();
  for (var k = begin; k < end; k = k + 4u) {
    let top = blockOfA(aBase, aTop, k, end);
    let low = blockOfA(aBase, aLow, k, end);
    let left = blockOfB(bBase, bLeft, k, end);
    let right = blockOfB(bBase, bRight, k, end);
    step(&t, top[0], low[0], left[0], right[0]);
    step(&t, top[1], low[1], left[1], right[1]);
    step(&t, top[2], low[2], left[2], right[2]);
    step(&t, top[3], low[3], left[3], right[3]);
  }
  let quad = column / 4u;
  store(matrix, row, quad, t.r0);
  store(matrix, row + 1u, quad, t.r1);
  store(matrix, row + 2u, quad, t.r2);
  store(matrix, row + 3u, quad, t.r3);
  store(matrix, row + 4u, quad, t.r4);
  store(matrix, row + 5u, quad, t.r5);
  store(matrix, row + 6u, quad, t.r6);
  store(matrix, row + 7u, quad, t.r7);
  store(matrix, row, quad + 1u, t.s0);
  store(matrix, row + 1u, quad + 1u, t.s1);
  store(matrix, row + 2u, quad + 1u, t.s2);
  store(matrix, row + 3u, quad + 1u, t.s3);
  store(matrix, row + 4u, quad + 1u, t.s4);
  store(matrix, row + 5u, quad + 1u, t.s5);
  store(matrix, row + 6u, quad + 1u, t.s6);
  store(matrix, row + 7u, quad + 1u, t.s7);
}

// ---- 256 invocations share a tile of 64 rows by 64 columns, 16 steps of k at a time, in workgroup
// memory; each computes 4 by 4: for real GPUs.

const ROWS: u32 = 68u; // 64 and padding against bank conflicts

var<workgroup> tileOfA: array<f32, 16 * ROWS>; // [16 steps of k, 64 rows]
var<workgroup> tileOfB: array<vec4f, 16 * 16>; // [16 steps of k, 64 columns / 4]

fn fillA(base: u32, row: u32, k: u32, end: u32, lane: u32) {
  if (TRANSPOSE_A) {
    let step = lane / 16u;
    let quad = lane % 16u;
    let place = base + min(k + step, end - 1u) * quads(params.m) +
      min(row / 4u + quad, quads(params.m) - 1u);
    let value = select(vec4f(), a[place], k + step < end);
    let at = step * ROWS + quad * 4u;
    tileOfA[at] = value.x;
    tileOfA[at + 1u] = value.y;
    tileOfA[at + 2u] = value.z;
    tileOfA[at + 3u] = value.w;
  } else {
    let down = lane / 4u;
    let steps = lane % 4u * 4u;
    let place = base + min(row + down, params.m - 1u) * quads(params.k) +
      min((k + steps) / 4u, quads(params.k) - 1u);
    let value = select(vec4f(), a[place], k + steps < end);
    let at = steps * ROWS + down;
    tileOfA[at] = value.x;
    tileOfA[at + ROWS] = value.y;
    tileOfA[at + 2u * ROWS] = value.z;
    tileOfA[at + 3u * ROWS] = value.w;
  }
}

fn fillB(base: u32, column: u32, k: u32, end: u32, lane: u32) {
  if (TRANSPOSE_B) {
    // 64 of the invocations transpose a block of 4 columns by 4 steps each.
    if (lane < 64u) {
      let quad = lane % 16u;
      let steps = lane / 16u * 4u;
      let first = starts(false, column + quad * 4u, params.n);
      let place = base + min((k + steps) / 4u, quads(params.k) - 1u);
      let valid = k + steps < end;
      let block = transpose(mat4x4f(
        b[place + first.x],
        b[place + first.y],
        b[place + first.z],
        b[place + first.w],
      ));
      tileOfB[steps * 16u + quad] = select(vec4f(), block[0], valid);
      tileOfB[(steps + 1u) * 16u + quad] = select(vec4f(), block[1], valid);
      tileOfB[(steps + 2u) * 16u + quad] = select(vec4f(), block[2], valid);
      tileOfB[(steps + 3u) * 16u + quad] = select(vec4f(), block[3], valid);
    }
  } else {
    let step = lane / 16u;
    let quad = lane % 16u;
    let place = base + min(k + step, end - 1u) * quads(params.n) +
      min(column / 4u + quad, quads(params.n) - 1u);
    tileOfB[step * 16u + quad] = select(vec4f(), b[place], k + step < end);
  }
}

@compute @workgroup_size(256)
fn tiled(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let across = (params.n + 63u) / 64u;
  let down = (params.m + 63u) / 64u;
  let id = group.y * groups.x + group.x;
  let matrix = id / (across * down);
  if (matrix >= params.batch * params.splits) {
    return;
  }
  let column = id % across * 64u;
  let row = id / across % down * 64u;
  let inBatch = matrix % params.batch;
  let begin = matrix / params.batch * params.chunk;
  let end = min(begin + params.chunk, params.k);
  let tx = lane % 16u;
  let ty = lane / 16u;
  var c0 = vec4f();
  var c1 = vec4f();
  var c2 = vec4f();
  var c3 = vec4f();
  for (var k = begin; k < end; k = k + 16u) {
    fillA(inBatch * params.aBatch, row, k, end, lane);
    fillB(inBatch * params.bBatch, column, k, end, lane);
    workgroupBarrier();
    for (var i = 0u; i < 16u; i = i + 1u) {
      let right = tileOfB[i * 16u + tx];
      let at = i * ROWS + ty * 4u;
      c0 = fma(vec4f(tileOfA[at]), right, c0);
      c1 = fma(vec4f(tileOfA[at + 1u]), right, c1);
      c2 = fma(vec4f(tileOfA[at + 2u]), right, c2);
      c3 = fma(vec4f(tileOfA[at + 3u]), right, c3);
    }
    workgroupBarrier();
  }
  let quad = column / 4u + tx;
  store(matrix, row + ty * 4u, quad, c0);
  store(matrix, row + ty * 4u + 1u, quad, c1);
  store(matrix, row + ty * 4u + 2u, quad, c2);
  store(matrix, row + ty * 4u + 3u, quad, c3);
}
