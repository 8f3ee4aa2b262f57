// Products of batches of matrices, row-major, where one invocation computes 16 rows by 32 columns: for
// adapters on a CPU, whose loads cost as much as dozens of multiplications, and whose accumulators may
// as well lie in memory.
//
//   y = a b                                  without TRANSPOSE_A
//   y[i] = aᵀ b over the i-th part of k      with it, added to what y holds where `adds` is 1
//
// n, k, and the rows of a are multiples of 4. Loads past an edge repeat a valid one and their results
// are not stored. Each output element is one chain of fused multiply-adds over k in rising order, as in
// matmul.wgsl.

struct Params {
  m: u32,
  n: u32,
  k: u32,
  batch: u32,
  // Parts of k, of `chunk` each; without TRANSPOSE_A there is one.
  splits: u32,
  chunk: u32,
  adds: u32,
}

override TRANSPOSE_A: bool = false; // a is stored as [k, m]
override GROUP: u32 = 8u;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<vec4f>;
@group(0) @binding(2) var<storage, read> b: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4f>;

// 32 columns of one row, and of four.
struct Row { a: vec4f, b: vec4f, c: vec4f, d: vec4f, e: vec4f, f: vec4f, g: vec4f, h: vec4f }
struct Rows { a: Row, b: Row, c: Row, d: Row }

// Four steps of k for 4 columns of a row.
fn chain(sum: vec4f, left: vec4f, r0: vec4f, r1: vec4f, r2: vec4f, r3: vec4f) -> vec4f {
  let half = fma(vec4f(left.y), r1, fma(vec4f(left.x), r0, sum));
  return fma(vec4f(left.w), r3, fma(vec4f(left.z), r2, half));
}

fn addRow(sum: Row, left: vec4f, right: Rows) -> Row {
  return Row(
    chain(sum.a, left, right.a.a, right.b.a, right.c.a, right.d.a),
    chain(sum.b, left, right.a.b, right.b.b, right.c.b, right.d.b),
    chain(sum.c, left, right.a.c, right.b.c, right.c.c, right.d.c),
    chain(sum.d, left, right.a.d, right.b.d, right.c.d, right.d.d),
    chain(sum.e, left, right.a.e, right.b.e, right.c.e, right.d.e),
    chain(sum.f, left, right.a.f, right.b.f, right.c.f, right.d.f),
    chain(sum.g, left, right.a.g, right.b.g, right.c.g, right.d.g),
    chain(sum.h, left, right.a.h, right.b.h, right.c.h, right.d.h),
  );
}

// Four rows, where column i of `left` holds row i at four steps of k, and `right` those steps.
fn addRows(sum: Rows, left: mat4x4f, right: Rows) -> Rows {
  return Rows(
    addRow(sum.a, left[0], right),
    addRow(sum.b, left[1], right),
    addRow(sum.c, left[2], right),
    addRow(sum.d, left[3], right),
  );
}

// Where 4 neighbouring rows of a begin; stored as columns, they are side by side in one vec4.
fn starts(base: u32, first: u32) -> vec4u {
  if (TRANSPOSE_A) {
    return vec4u(base + min(first / 4u, params.m / 4u - 1u));
  }
  let rows = min(vec4u(first, first + 1u, first + 2u, first + 3u), vec4u(params.m - 1u));
  return base + rows * (params.k / 4u);
}

fn leftOf(at: vec4u, k: u32) -> mat4x4f {
  if (TRANSPOSE_A) {
    let apart = params.m / 4u;
    let first = at.x + k * apart;
    return transpose(mat4x4f(
      a[first],
      a[first + apart],
      a[first + 2u * apart],
      a[first + 3u * apart],
    ));
  }
  let place = at + k / 4u;
  return mat4x4f(a[place.x], a[place.y], a[place.z], a[place.w]);
}

fn rightRow(at: u32, last: u32) -> Row {
  return Row(
    b[at],
    b[at + min(1u, last)],
    b[at + min(2u, last)],
    b[at + min(3u, last)],
    b[at + min(4u, last)],
    b[at + min(5u, last)],
    b[at + min(6u, last)],
    b[at + min(7u, last)],
  );
}

fn startRow(matrix: u32, row: u32, column: u32) -> Row {
  let at = (matrix * params.m + row) * (params.n / 4u) + column;
  return Row(y[at], y[at + 1u], y[at + 2u], y[at + 3u], y[at + 4u], y[at + 5u], y[at + 6u], y[at + 7u]);
}

// What four rows start from. Past an edge it is something that is not stored.
fn startRows(matrix: u32, row: u32, column: u32) -> Rows {
  if (!TRANSPOSE_A || params.adds == 0u) {
    return Rows();
  }
  return Rows(
    startRow(matrix, row, column),
    startRow(matrix, row + 1u, column),
    startRow(matrix, row + 2u, column),
    startRow(matrix, row + 3u, column),
  );
}

fn storeQuad(at: u32, exists: bool, value: vec4f) {
  if (exists) {
    y[at] = value;
  }
}

fn storeRow(matrix: u32, row: u32, column: u32, v: Row) {
  if (row >= params.m) {
    return;
  }
  let width = params.n / 4u;
  let at = (matrix * params.m + row) * width + column;
  y[at] = v.a;
  storeQuad(at + 1u, column + 1u < width, v.b);
  storeQuad(at + 2u, column + 2u < width, v.c);
  storeQuad(at + 3u, column + 3u < width, v.d);
  storeQuad(at + 4u, column + 4u < width, v.e);
  storeQuad(at + 5u, column + 5u < width, v.f);
  storeQuad(at + 6u, column + 6u < width, v.g);
  storeQuad(at + 7u, column + 7u < width, v.h);
}

fn storeRows(matrix: u32, row: u32, column: u32, v: Rows) {
  storeRow(matrix, row, column, v.a);
  storeRow(matrix, row + 1u, column, v.b);
  storeRow(matrix, row + 2u, column, v.c);
  storeRow(matrix, row + 3u, column, v.d);
}

@compute @workgroup_size(GROUP)
fn multiply(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let id = (group.y * groups.x + group.x) * GROUP + lane;
  let across = (params.n + 31u) / 32u;
  let down = (params.m + 15u) / 16u;
  let matrix = id / (across * down);
  if (matrix >= params.batch * params.splits) {
    return;
  }
  let inBatch = matrix % params.batch;
  let begin = matrix / params.batch * params.chunk;
  let end = min(begin + params.chunk, params.k);
  let first = id / across % down * 16u;
  let column = id % across * 8u;
  let width = params.n / 4u;
  let last = width - 1u - column;
  let aBase = inBatch * params.m * params.k / 4u;
  let bBase = inBatch * params.k * width + column;
  let p0 = starts(aBase, first);
  let p1 = starts(aBase, first + 4u);
  let p2 = starts(aBase, first + 8u);
  let p3 = starts(aBase, first + 12u);
  var t0 = startRows(matrix, first, column);
  var t1 = startRows(matrix, first + 4u, column);
  var t2 = startRows(matrix, first + 8u, column);
  var t3 = startRows(matrix, first + 12u, column);
  for (var k = begin; k < end; k = k + 4u) {
    let at = bBase + k * width;
    let right = Rows(
      rightRow(at, last),
      rightRow(at + width, last),
      rightRow(at + 2u * width, last),
      rightRow(at + 3u * width, last),
    );
    t0 = addRows(t0, leftOf(p0, k), right);
    t1 = addRows(t1, leftOf(p1, k), right);
    t2 = addRows(t2, leftOf(p2, k), right);
    t3 = addRows(t3, leftOf(p3, k), right);
  }
  storeRows(matrix, first, column, t0);
  storeRows(matrix, first + 4u, column, t1);
  storeRows(matrix, first + 8u, column, t2);
  storeRows(matrix, first + 12u, column, t3);
}
