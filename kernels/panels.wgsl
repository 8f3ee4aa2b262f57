// y = op(a) op(b) + bias for batches of matrices, in tiles of 16 by 16: for adapters on a CPU.
//
// There a load costs as much as dozens of multiplications, so one invocation computes 16 rows by 16
// columns, whose accumulators may as well lie in memory. A step of k gives it its operands in eight
// loads: rows of k steps are read as they are, others come packed, 16 rows side by side (pack.wgsl). A
// loop over single steps, without branches, is short code, which such drivers compile in a fraction of
// a second and run best.
//
// n is a multiple of 4, and not less than 16; m is not less than 13, and where a has rows of k steps, these
// are filled up to a multiple of 4. What is left over past whole tiles is no tile of its own: the last tile
// begins before it, within another, and writes what is its own. Each output element is one chain of fused
// multiply-adds over k in rising order, as in matmul.wgsl.

struct Params {
  m: u32,
  n: u32,
  k: u32,
  // The steps of a panel where a, or b, is packed; else 0, and a is [k, m], or b [k, n], row-major.
  aSteps: u32,
  bSteps: u32,
  // Distance from one matrix of the batch to the next, in vec4; 0 where all share one.
  aBatch: u32,
  bBatch: u32,
  // Where the first matrix of b is, in vec4.
  bFirst: u32,
  batch: u32,
  // k is cut into `splits` parts of `chunk` each; every part writes its own y.
  splits: u32,
  chunk: u32,
  // The first row of y that is written.
  first: u32,
  hasBias: u32,
}

override ADDS: bool = false; // the chains continue what y holds
override GROUP: u32 = 8u;

alias A = f32; // as they are stored
alias B = f32;
alias Y = f32;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<vec4<A>>;
@group(0) @binding(2) var<storage, read> b: array<vec4<B>>;
@group(0) @binding(3) var<storage, read> bias: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> y: array<vec4<Y>>;

// The columns of one row, and of four.
struct Row { a: vec4f, b: vec4f, c: vec4f, d: vec4f }
struct Rows { a: Row, b: Row, c: Row, d: Row }

fn addRow(sum: Row, left: f32, right: Row) -> Row {
  let factor = vec4f(left);
  return Row(
    fma(factor, right.a, sum.a),
    fma(factor, right.b, sum.b),
    fma(factor, right.c, sum.c),
    fma(factor, right.d, sum.d),
  );
}

fn addRows(sum: Rows, left: vec4f, right: Row) -> Rows {
  return Rows(
    addRow(sum.a, left.x, right),
    addRow(sum.b, left.y, right),
    addRow(sum.c, left.z, right),
    addRow(sum.d, left.w, right),
  );
}

fn leftOf(at: u32) -> Row {
  return Row(vec4f(a[at]), vec4f(a[at + 1u]), vec4f(a[at + 2u]), vec4f(a[at + 3u]));
}

fn rightOf(at: u32) -> Row {
  return Row(vec4f(b[at]), vec4f(b[at + 1u]), vec4f(b[at + 2u]), vec4f(b[at + 3u]));
}

// What is added to each row.
fn biasAt(quad: u32) -> Row {
  if (params.hasBias == 0u) {
    return Row();
  }
  return Row(
    bias[quad],
    bias[quad + 1u],
    bias[quad + 2u],
    bias[quad + 3u],
  );
}

// Row `i` of four times four.
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

fn chosen(old: Row, row: Row, isIt: bool) -> Row {
  return Row(
    select(old.a, row.a, isIt),
    select(old.b, row.b, isIt),
    select(old.c, row.c, isIt),
    select(old.d, row.d, isIt),
  );
}

// `rows` with row `i` replaced, if they have one.
fn withRow(rows: Rows, row: Row, i: u32) -> Rows {
  return Rows(
    chosen(rows.a, row, i == 0u),
    chosen(rows.b, row, i == 1u),
    chosen(rows.c, row, i == 2u),
    chosen(rows.d, row, i == 3u),
  );
}

fn startOf(at: u32) -> Row {
  return Row(vec4f(y[at]), vec4f(y[at + 1u]), vec4f(y[at + 2u]), vec4f(y[at + 3u]));
}

// The last vec4 of a row; the first `skipped` are another tile's.
fn storeRow(at: u32, skipped: u32, value: Row) {
  if (skipped < 1u) {
    y[at] = vec4<Y>(value.a);
  }
  if (skipped < 2u) {
    y[at + 1u] = vec4<Y>(value.b);
  }
  if (skipped < 3u) {
    y[at + 2u] = vec4<Y>(value.c);
  }
  y[at + 3u] = vec4<Y>(value.d);
}

@compute @workgroup_size(GROUP)
fn multiply(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let height = (params.m + 3u) / 4u; // in vec4, as all that is across below
  let width = params.n / 4u;
  let down = (height + 3u) / 4u;
  let across = (width + 3u) / 4u;
  // An invocation too many computes the last tile, and stores nothing: an early return would cost more.
  let last = params.batch * params.splits * down * across - 1u;
  let number = (group.y * groups.x + group.x) * GROUP + lane;
  let id = min(number, last);
  let matrix = id / (across * down);
  let begin = matrix / params.batch * params.chunk;
  let end = min(begin + params.chunk, params.k);
  let panelOfA = id / across % down;
  let panelOfB = id % across;
  let top = min(panelOfA * 4u, height - 4u);
  let quad = min(panelOfB * 4u, width - 4u);
  let aFirst = select(top, panelOfA * params.aSteps * 4u, params.aSteps > 0u);
  let bFirst = select(quad, panelOfB * params.bSteps * 4u, params.bSteps > 0u);
  let aStep = select(height, 4u, params.aSteps > 0u);
  let bStep = select(width, 4u, params.bSteps > 0u);
  let aBase = matrix % params.batch * params.aBatch + aFirst;
  let bBase = params.bFirst + matrix % params.batch * params.bBatch + bFirst;
  let at = (params.first + matrix * params.m + top * 4u) * width + quad;
  var t0 = Rows();
  var t1 = Rows();
  var t2 = Rows();
  var t3 = Rows();
  if (ADDS) {
    for (var i = 0u; i < 16u; i = i + 1u) { // short code, too: 64 loads in a row compile for seconds
      let row = startOf(at + i * width);
      t0 = withRow(t0, row, i);
      t1 = withRow(t1, row, i - 4u);
      t2 = withRow(t2, row, i - 8u);
      t3 = withRow(t3, row, i - 12u);
    }
  }
  for (var k = begin; k < end; k = k + 1u) {
    let left = leftOf(aBase + k * aStep);
    let right = rightOf(bBase + k * bStep);
    t0 = addRows(t0, left.a, right);
    t1 = addRows(t1, left.b, right);
    t2 = addRows(t2, left.c, right);
    t3 = addRows(t3, left.d, right);
  }
  let added = biasAt(quad);
  let rows = select(min(16u, params.m - top * 4u), 0u, number > last);
  for (var i = panelOfA * 16u - top * 4u; i < rows; i = i + 1u) {
    let row = rowOf(t0, t1, t2, t3, i);
    let sum = Row(row.a + added.a, row.b + added.b, row.c + added.c, row.d + added.d);
    storeRow(at + i * width, panelOfB * 4u - quad, sum);
  }
}
