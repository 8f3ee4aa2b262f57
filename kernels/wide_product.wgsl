// Products of batches of matrices, row-major, where one invocation computes 16 rows by 32 columns: for
// adapters on a CPU, whose loads cost as much as dozens of multiplications, and whose accumulators may
// as well lie in memory.
//
//   y = a b
//
// n and k are multiples of 4. Loads past an edge repeat a valid one and their results are not stored.
// Each output element is one chain of fused multiply-adds over k in rising order, as in matmul.wgsl.

struct Params {
  m: u32,
  n: u32,
  k: u32,
  batch: u32,
}

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

// Where 4 neighbouring rows of a begin.
fn starts(base: u32, first: u32) -> vec4u {
  let rows = min(vec4u(first, first + 1u, first + 2u, first + 3u), vec4u(params.m - 1u));
  return base + rows * (params.k / 4u);
}

fn leftOf(at: vec4u, k: u32) -> mat4x4f {
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

fn storeQuad(at: u32, exists: bool, value: vec4f) {
  if (exists) {
    y[at] = value;
  }
}

// The row of four times four that is `i` below the first.
fn rowOf(t0: Rows, t1: Rows, t2: Rows, t3: Rows, i: u32) -> Row {
  var rows = t0;
  if (i >= 4u) {
    rows = t1;
  }
  if (i >= 8u) {
    rows = t2;
  }
  if (i >= 12u) {
    rows = t3;
  }
  var row = rows.a;
  if (i % 4u == 1u) {
    row = rows.b;
  }
  if (i % 4u == 2u) {
    row = rows.c;
  }
  if (i % 4u == 3u) {
    row = rows.d;
  }
  return row;
}

fn storeRow(at: u32, count: u32, v: Row) {
  y[at] = v.a;
  storeQuad(at + 1u, count > 1u, v.b);
  storeQuad(at + 2u, count > 2u, v.c);
  storeQuad(at + 3u, count > 3u, v.d);
  storeQuad(at + 4u, count > 4u, v.e);
  storeQuad(at + 5u, count > 5u, v.f);
  storeQuad(at + 6u, count > 6u, v.g);
  storeQuad(at + 7u, count > 7u, v.h);
}

@compute @workgroup_size(GROUP)
fn multiply(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let across = (params.n + 31u) / 32u;
  let down = (params.m + 15u) / 16u;
  let end = params.batch * down * across;
  let number = (group.y * groups.x + group.x) * GROUP + lane;
  let id = min(number, end - 1u); // an invocation too many stores nothing
  let matrix = id / (across * down);
  let first = id / across % down * 16u;
  let column = id % across * 8u;
  let width = params.n / 4u;
  let last = width - 1u - column;
  let aBase = matrix * params.m * params.k / 4u;
  let bBase = matrix * params.k * width + column;
  let p0 = starts(aBase, first);
  let p1 = starts(aBase, first + 4u);
  let p2 = starts(aBase, first + 8u);
  let p3 = starts(aBase, first + 12u);
  var t0 = Rows();
  var t1 = Rows();
  var t2 = Rows();
  var t3 = Rows();
  for (var k = 0u; k < params.k; k = k + 4u) {
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
  let at = (matrix * params.m + first) * width + column;
  for (var i = 0u; i < select(min(16u, params.m - first), 0u, number >= end); i = i + 1u) {
    storeRow(at + i * width, last + 1u, rowOf(t0, t1, t2, t3, i));
  }
}
