// y = op(a) op(b) + bias for a batch of matrices, row-major.
//
// Every row of a, b and y has a multiple of 4 elements; the host pads where it has not. Loads past
// an edge repeat a valid one and their results are not stored.
// Each output element is one chain of fused multiply-adds over k in rising order, in both entries, in
// tiles of any size, and wherever it lies in its tile: equal rows of a give equal bits, whatever else
// is in y.

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

alias A = f32; // as they are stored
alias B = f32;
alias Y = f32;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<vec4<A>>;
@group(0) @binding(2) var<storage, read> b: array<vec4<B>>;
@group(0) @binding(3) var<storage, read> bias: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> y: array<vec4<Y>>;

fn loadA(at: u32) -> vec4f {
  return vec4f(a[at]);
}

fn loadB(at: u32) -> vec4f {
  return vec4f(b[at]);
}

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
        loadA(place),
        select(zero, loadA(place + one), one > 0u),
        select(zero, loadA(place + two), two > 0u),
        select(zero, loadA(place + three), three > 0u),
      );
    }
    return mat4x4f(
      loadA(place),
      loadA(place + stride),
      loadA(place + 2u * stride),
      loadA(place + 3u * stride),
    );
  }
  let place = base + k / 4u;
  return transpose(mat4x4f(
    loadA(place + at.x),
    loadA(place + at.y),
    loadA(place + at.z),
    loadA(place + at.w),
  ));
}

// 4 steps of k by 4 columns of op(b): column i holds the columns' elements at k + i.
fn blockOfB(base: u32, at: vec4u, k: u32, end: u32) -> mat4x4f {
  if (TRANSPOSE_B) {
    let place = base + k / 4u;
    return transpose(mat4x4f(
      loadB(place + at.x),
      loadB(place + at.y),
      loadB(place + at.z),
      loadB(place + at.w),
    ));
  }
  let stride = quads(params.n);
  let place = base + k * stride + at.x;
  if (RAGGED) {
    let zero = vec4f();
    let one = select(0u, stride, k + 1u < end);
    let two = select(0u, 2u * stride, k + 2u < end);
    let three = select(0u, 3u * stride, k + 3u < end);
    return mat4x4f(
      loadB(place),
      select(zero, loadB(place + one), one > 0u),
      select(zero, loadB(place + two), two > 0u),
      select(zero, loadB(place + three), three > 0u),
    );
  }
  return mat4x4f(
    loadB(place),
    loadB(place + stride),
    loadB(place + 2u * stride),
    loadB(place + 3u * stride),
  );
}

// 8 rows by 8 columns, or only the first 4 by 4.
struct Tile {
  r0: vec4f, r1: vec4f, r2: vec4f, r3: vec4f, r4: vec4f, r5: vec4f, r6: vec4f, r7: vec4f,
  s0: vec4f, s1: vec4f, s2: vec4f, s3: vec4f, s4: vec4f, s5: vec4f, s6: vec4f, s7: vec4f,
}

override WHOLE: bool = true; // 8 by 8

fn step(t: ptr<function, Tile>, top: vec4f, low: vec4f, left: vec4f, right: vec4f) {
  (*t).r0 = fma(vec4f(top.x), left, (*t).r0);
  (*t).r1 = fma(vec4f(top.y), left, (*t).r1);
  (*t).r2 = fma(vec4f(top.z), left, (*t).r2);
  (*t).r3 = fma(vec4f(top.w), left, (*t).r3);
  if (WHOLE) {
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
}

fn store(matrix: u32, row: u32, quad: u32, value: vec4f) {
  let width = quads(params.n);
  if (row < params.m && quad < width) {
    var sum = value;
    if (HAS_BIAS) {
      sum = sum + bias[quad];
    }
    y[(matrix * params.m + row) * width + quad] = vec4<Y>(sum);
  }
}

// Stores a tile whose rows 4 to 7 are `apart` below the first, and columns 4 to 7 `aside` in vec4.
fn storeTile(t: Tile, matrix: u32, row: u32, apart: u32, quad: u32, aside: u32) {
  store(matrix, row, quad, t.r0);
  store(matrix, row + 1u, quad, t.r1);
  store(matrix, row + 2u, quad, t.r2);
  store(matrix, row + 3u, quad, t.r3);
  if (WHOLE) {
    let low = row + apart;
    store(matrix, low, quad, t.r4);
    store(matrix, low + 1u, quad, t.r5);
    store(matrix, low + 2u, quad, t.r6);
    store(matrix, low + 3u, quad, t.r7);
    let right = quad + aside;
    store(matrix, row, right, t.s0);
    store(matrix, row + 1u, right, t.s1);
    store(matrix, row + 2u, right, t.s2);
    store(matrix, row + 3u, right, t.s3);
    store(matrix, low, right, t.s4);
    store(matrix, low + 1u, right, t.s5);
    store(matrix, low + 2u, right, t.s6);
    store(matrix, low + 3u, right, t.s7);
  }
}

// ---- One invocation computes 8 rows by 8 columns in registers: for adapters whose loads are slow
// and whose workgroup memory is no faster than other memory (software rasterizers), and for small work.

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
  storeTile(t, matrix, row, 4u, column / 4u, 1u);
}

// ---- The invocations of a workgroup share a tile of HEIGHT by WIDTH vec4, 16 steps of k at a time, in
// workgroup memory: for real GPUs. Each computes 4 rows by 4 columns, or 8 by 8 as four such blocks half
// a tile apart, so that neighbours read side by side.

override THREADS: u32 = 128u; // 8 across
override HEIGHT: u32 = 32u;
override WIDTH: u32 = 16u;
// Distance from one step of k to the next: padded against bank conflicts.
override A_STEP: u32 = HEIGHT + 1u;
override B_STEP: u32 = WIDTH + 1u;
override A_SIZE: u32 = 16u * A_STEP;
override B_SIZE: u32 = 16u * B_STEP;

var<workgroup> tileOfA: array<vec4f, A_SIZE>; // [16 steps of k, rows / 4]
var<workgroup> tileOfB: array<vec4f, B_SIZE>; // [16 steps of k, columns / 4]

// What invocation `i` of those that fill a tile of `extent` vec4 brings: x its vec4 and y its first
// step of k. Neighbours load side by side, along k or along the vec4.
fn share(i: u32, extent: u32, alongK: bool) -> vec2u {
  if (alongK) {
    return vec2u(i / 4u, i % 4u * 4u);
  }
  return vec2u(i % extent, i / extent * 4u);
}

fn fillA(base: u32, row: u32, k: u32, end: u32, lane: u32) {
  for (var i = lane; i < HEIGHT * 4u; i = i + THREADS) {
    let part = share(i, HEIGHT, !TRANSPOSE_A);
    let step = k + part.y;
    let at = starts(TRANSPOSE_A, row + part.x * 4u, params.m);
    let block = blockOfA(base, at, min(step, end - 1u) / 4u * 4u, end);
    let place = part.y * A_STEP + part.x;
    let exists = step < end;
    tileOfA[place] = select(vec4f(), block[0], exists);
    tileOfA[place + A_STEP] = select(vec4f(), block[1], exists);
    tileOfA[place + 2u * A_STEP] = select(vec4f(), block[2], exists);
    tileOfA[place + 3u * A_STEP] = select(vec4f(), block[3], exists);
  }
}

fn fillB(base: u32, column: u32, k: u32, end: u32, lane: u32) {
  for (var i = lane; i < WIDTH * 4u; i = i + THREADS) {
    let part = share(i, WIDTH, TRANSPOSE_B);
    let step = k + part.y;
    let at = starts(!TRANSPOSE_B, column + part.x * 4u, params.n);
    let block = blockOfB(base, at, min(step, end - 1u) / 4u * 4u, end);
    let place = part.y * B_STEP + part.x;
    let exists = step < end;
    tileOfB[place] = select(vec4f(), block[0], exists);
    tileOfB[place + B_STEP] = select(vec4f(), block[1], exists);
    tileOfB[place + 2u * B_STEP] = select(vec4f(), block[2], exists);
    tileOfB[place + 3u * B_STEP] = select(vec4f(), block[3], exists);
  }
}

@compute @workgroup_size(THREADS)
fn tiled(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let across = (quads(params.n) + WIDTH - 1u) / WIDTH;
  let down = (quads(params.m) + HEIGHT - 1u) / HEIGHT;
  let id = group.y * groups.x + group.x;
  let matrix = id / (across * down);
  if (matrix >= params.batch * params.splits) {
    return;
  }
  let column = id % across * WIDTH * 4u;
  let row = id / across % down * HEIGHT * 4u;
  let inBatch = matrix % params.batch;
  let begin = matrix / params.batch * params.chunk;
  let end = min(begin + params.chunk, params.k);
  let tx = lane % 8u;
  let ty = lane / 8u;
  var t = Tile();
  for (var k = begin; k < end; k = k + 16u) {
    fillA(inBatch * params.aBatch, row, k, end, lane);
    fillB(inBatch * params.bBatch, column, k, end, lane);
    workgroupBarrier();
    for (var i = 0u; i < 16u; i = i + 1u) {
      let left = i * A_STEP + ty;
      let right = i * B_STEP + tx;
      let top = tileOfA[left];
      let near = tileOfB[right];
      if (WHOLE) {
        step(&t, top, tileOfA[left + HEIGHT / 2u], near, tileOfB[right + WIDTH / 2u]);
      } else {
        step(&t, top, vec4f(), near, vec4f());
      }
    }
    workgroupBarrier();
  }
  storeTile(t, matrix, row + ty * 4u, HEIGHT * 2u, column / 4u + tx, WIDTH / 2u);
}
