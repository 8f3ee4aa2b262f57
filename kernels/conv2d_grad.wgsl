// The weight gradient of a convolution.
//
// dw[ky, kx, i, o] = sum over output pixels of x[pixel under the tap, i] dy[pixel, o].
// cin and cout are multiples of 4. The output rows of all images are cut into `splits` parts of
// `chunk` rows; each part writes its own sum, and they are added afterwards. A sum is one chain of
// fused multiply-adds over the rows and their pixels, in rising order, in every entry.

struct Params {
  batch: u32,
  height: u32,
  width: u32,
  cin: u32,
  outHeight: u32,
  outWidth: u32,
  cout: u32,
  kernelHeight: u32,
  kernelWidth: u32,
  stride: u32,
  top: u32,
  left: u32,
  splits: u32,
  chunk: u32,
}

override NARROW: bool = false; // an invocation computes 4 output channels and not 8

alias X = f32; // as it is stored

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<X>>;
@group(0) @binding(2) var<storage, read> dy: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> sums: array<vec4f>;

fn loadX(at: u32) -> vec4f {
  return vec4f(x[at]);
}

fn loadDy(at: u32) -> vec4f {
  return dy[at];
}

// 8 input channels by 8 output channels, of which the entries below may compute a part.

struct Tile {
  r0: vec4f, r1: vec4f, r2: vec4f, r3: vec4f, r4: vec4f, r5: vec4f, r6: vec4f, r7: vec4f,
  s0: vec4f, s1: vec4f, s2: vec4f, s3: vec4f, s4: vec4f, s5: vec4f, s6: vec4f, s7: vec4f,
}

override TALL: bool = true; // 8 input channels and not 4

fn step(t: ptr<function, Tile>, top: vec4f, low: vec4f, left: vec4f, right: vec4f) {
  (*t).r0 = fma(vec4f(top.x), left, (*t).r0);
  (*t).r1 = fma(vec4f(top.y), left, (*t).r1);
  (*t).r2 = fma(vec4f(top.z), left, (*t).r2);
  (*t).r3 = fma(vec4f(top.w), left, (*t).r3);
  if (TALL) {
    (*t).r4 = fma(vec4f(low.x), left, (*t).r4);
    (*t).r5 = fma(vec4f(low.y), left, (*t).r5);
    (*t).r6 = fma(vec4f(low.z), left, (*t).r6);
    (*t).r7 = fma(vec4f(low.w), left, (*t).r7);
  }
  if (!NARROW) {
    (*t).s0 = fma(vec4f(top.x), right, (*t).s0);
    (*t).s1 = fma(vec4f(top.y), right, (*t).s1);
    (*t).s2 = fma(vec4f(top.z), right, (*t).s2);
    (*t).s3 = fma(vec4f(top.w), right, (*t).s3);
    if (TALL) {
      (*t).s4 = fma(vec4f(low.x), right, (*t).s4);
      (*t).s5 = fma(vec4f(low.y), right, (*t).s5);
      (*t).s6 = fma(vec4f(low.z), right, (*t).s6);
      (*t).s7 = fma(vec4f(low.w), right, (*t).s7);
    }
  }
}

fn store(row: u32, quad: u32, value: vec4f) {
  sums[row * (params.cout / 4u) + quad] = value;
}

// The output columns `begin` up to `end` whose tap lies inside the image.
fn reach(kx: u32) -> vec2u {
  let ahead = params.left + params.stride - 1u;
  let begin = select(0u, (ahead - kx) / params.stride, ahead > kx);
  let right = params.width + params.left;
  let end = select(0u, (right - kx - 1u) / params.stride + 1u, right > kx);
  return vec2u(begin, min(end, params.outWidth));
}

// ---- One invocation computes 8 by 8 channels of one tap in registers: for few channels on a CPU, and
// where workgroup memory does not pay.

// Adds what column `ox` contributes: nothing where it is `end` or later.
fn add(
  t: ptr<function, Tile>,
  source: u32,
  sink: u32,
  ox: u32,
  end: u32,
  channel: u32,
  lastChannel: u32,
  quad: u32,
  lastQuad: u32,
) {
  let column = min(ox, end - 1u);
  let sourcePlace = (source + column * params.stride) * (params.cin / 4u);
  let sinkPlace = (sink + column) * (params.cout / 4u);
  step(
    t,
    select(vec4f(), loadX(sourcePlace + channel), ox < end),
    select(vec4f(), loadX(sourcePlace + lastChannel), ox < end),
    loadDy(sinkPlace + quad),
    loadDy(sinkPlace + lastQuad),
  );
}

override GROUP: u32 = 16u;

@compute @workgroup_size(GROUP)
fn registers(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let cin = params.cin / 4u;
  let cout = params.cout / 4u;
  let across = (cout + 1u) / 2u;
  let down = (cin + 1u) / 2u;
  let taps = params.kernelHeight * params.kernelWidth;
  let id = (group.y * groups.x + group.x) * GROUP + lane;
  let quad = id % across * 2u;
  let channel = id / across % down * 2u;
  let tap = id / (across * down) % taps;
  let split = id / (across * down * taps);
  if (split >= params.splits) {
    return;
  }
  let ky = tap / params.kernelWidth;
  let kx = tap % params.kernelWidth;
  let lastQuad = min(quad + 1u, cout - 1u);
  let lastChannel = min(channel + 1u, cin - 1u);
  let columns = reach(kx);
  let lines = min((split + 1u) * params.chunk, params.batch * params.outHeight);
  var t = Tile();
  for (var line = split * params.chunk; line < lines; line = line + 1u) {
    let sy = line % params.outHeight * params.stride + ky;
    if (sy < params.top || sy >= params.top + params.height) {
      continue;
    }
    let source = (line / params.outHeight * params.height + sy - params.top) * params.width + kx -
      params.left;
    let sink = line * params.outWidth;
    for (var ox = columns.x; ox < columns.y; ox = ox + 4u) {
      add(&t, source, sink, ox, columns.y, channel, lastChannel, quad, lastQuad);
      add(&t, source, sink, ox + 1u, columns.y, channel, lastChannel, quad, lastQuad);
      add(&t, source, sink, ox + 2u, columns.y, channel, lastChannel, quad, lastQuad);
      add(&t, source, sink, ox + 3u, columns.y, channel, lastChannel, quad, lastQuad);
    }
  }
  let row = (split * taps + tap) * params.cin + channel * 4u;
  store(row, quad, t.r0);
  store(row + 1u, quad, t.r1);
  store(row + 2u, quad, t.r2);
  store(row + 3u, quad, t.r3);
  if (channel + 1u < cin) {
    store(row + 4u, quad, t.r4);
    store(row + 5u, quad, t.r5);
    store(row + 6u, quad, t.r6);
    store(row + 7u, quad, t.r7);
  }
  if (!NARROW && quad + 1u < cout) {
    store(row, quad + 1u, t.s0);
    store(row + 1u, quad + 1u, t.s1);
    store(row + 2u, quad + 1u, t.s2);
    store(row + 3u, quad + 1u, t.s3);
    if (channel + 1u < cin) {
      store(row + 4u, quad + 1u, t.s4);
      store(row + 5u, quad + 1u, t.s5);
      store(row + 6u, quad + 1u, t.s6);
      store(row + 7u, quad + 1u, t.s7);
    }
  }
}

// ---- One invocation computes 16 by 16 channels of one tap, pixel by pixel: for adapters on a CPU, as
// the wide tiles of conv2d.wgsl. There are 16 input and 16 output channels at least.

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

// Input channel `i` of four times four.
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

// The last vec4 of a row; the first `skipped` are another tile's.
fn storeRow(at: u32, skipped: u32, value: Row) {
  if (skipped < 1u) {
    sums[at] = value.a;
  }
  if (skipped < 2u) {
    sums[at + 1u] = value.b;
  }
  if (skipped < 3u) {
    sums[at + 2u] = value.c;
  }
  sums[at + 3u] = value.d;
}

@compute @workgroup_size(GROUP)
fn wide(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let cin = params.cin / 4u;
  let cout = params.cout / 4u;
  let across = (cout + 3u) / 4u;
  let down = (cin + 3u) / 4u;
  let taps = params.kernelHeight * params.kernelWidth;
  let last = across * down * taps * params.splits - 1u;
  let number = (group.y * groups.x + group.x) * GROUP + lane;
  let id = min(number, last); // an invocation too many stores nothing
  let ownQuad = id % across * 4u;
  let quad = min(ownQuad, cout - 4u);
  let ownChannel = id / across % down * 4u;
  let channel = min(ownChannel, cin - 4u);
  let tap = id / (across * down) % taps;
  let split = id / (across * down * taps);
  let ky = tap / params.kernelWidth;
  let kx = tap % params.kernelWidth;
  let columns = reach(kx);
  let lines = min((split + 1u) * params.chunk, params.batch * params.outHeight);
  var t0 = Rows();
  var t1 = Rows();
  var t2 = Rows();
  var t3 = Rows();
  for (var line = split * params.chunk; line < lines; line = line + 1u) {
    let sy = line % params.outHeight * params.stride + ky;
    let isIn = sy >= params.top && sy < params.top + params.height;
    let source = (line / params.outHeight * params.height + sy - params.top) * params.width + kx -
      params.left;
    let sink = line * params.outWidth;
    for (var ox = columns.x; ox < select(0u, columns.y, isIn); ox = ox + 1u) {
      let i = (source + ox * params.stride) * cin + channel;
      let x0 = loadX(i);
      let x1 = loadX(i + 1u);
      let x2 = loadX(i + 2u);
      let x3 = loadX(i + 3u);
      let j = (sink + ox) * cout + quad;
      let right = Row(loadDy(j), loadDy(j + 1u), loadDy(j + 2u), loadDy(j + 3u));
      t0 = addRows(t0, x0, right);
      t1 = addRows(t1, x1, right);
      t2 = addRows(t2, x2, right);
      t3 = addRows(t3, x3, right);
    }
  }
  let at = ((split * taps + tap) * params.cin + channel * 4u) * cout + quad;
  for (var i = (ownChannel - channel) * 4u; i < select(16u, 0u, number > last); i = i + 1u) {
    storeRow(at + i * cout, ownQuad - quad, rowOf(t0, t1, t2, t3, i));
  }
}

// ---- The invocations of a workgroup share a tile of HEIGHT by WIDTH vec4 of channels of one tap, 16
// output pixels at a time, in workgroup memory: for real GPUs. Each computes 4 by 4 channels, or 8 by 8
// as four such blocks half a tile apart, so that neighbours read side by side.

override THREADS: u32 = 128u; // 8 across
override HEIGHT: u32 = 32u;
override WIDTH: u32 = 16u;
override X_SIZE: u32 = 16u * HEIGHT;
override DY_SIZE: u32 = 16u * WIDTH;

var<workgroup> tileOfX: array<vec4f, X_SIZE>; // [16 pixels, channels / 4]
var<workgroup> tileOfDy: array<vec4f, DY_SIZE>;

fn fillX(tap: u32, channel: u32, pixel: u32, end: u32, lane: u32) {
  let cin = params.cin / 4u;
  for (var i = lane; i < 16u * HEIGHT; i = i + THREADS) {
    let at = pixel + i / HEIGHT;
    let line = at / params.outWidth;
    let sy = line % params.outHeight * params.stride + tap / params.kernelWidth;
    let sx = at % params.outWidth * params.stride + tap % params.kernelWidth;
    let isIn = at < end && sy >= params.top && sy < params.top + params.height &&
      sx >= params.left && sx < params.left + params.width;
    let row = line / params.outHeight * params.height + sy - params.top;
    let place = (row * params.width + sx - params.left) * cin + min(channel + i % HEIGHT, cin - 1u);
    tileOfX[i] = select(vec4f(), loadX(select(0u, place, isIn)), isIn);
  }
}

fn fillDy(quad: u32, pixel: u32, end: u32, lane: u32) {
  let cout = params.cout / 4u;
  for (var i = lane; i < 16u * WIDTH; i = i + THREADS) {
    let at = pixel + i / WIDTH;
    let place = min(at, end - 1u) * cout + min(quad + i % WIDTH, cout - 1u);
    tileOfDy[i] = select(vec4f(), loadDy(place), at < end);
  }
}

@compute @workgroup_size(THREADS)
fn tiled(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let across = (params.cout / 4u + WIDTH - 1u) / WIDTH;
  let down = (params.cin / 4u + HEIGHT - 1u) / HEIGHT;
  let taps = params.kernelHeight * params.kernelWidth;
  let id = group.y * groups.x + group.x;
  let split = id / (across * down * taps);
  if (split >= params.splits) {
    return;
  }
  let tap = id / (across * down) % taps;
  let firstQuad = id % across * WIDTH;
  let firstChannel = id / across % down * HEIGHT;
  let lines = min((split + 1u) * params.chunk, params.batch * params.outHeight);
  let end = lines * params.outWidth;
  let tx = lane % 8u;
  let ty = lane / 8u;
  var t = Tile();
  for (var pixel = split * params.chunk * params.outWidth; pixel < end; pixel = pixel + 16u) {
    fillX(tap, firstChannel, pixel, end, lane);
    fillDy(firstQuad, pixel, end, lane);
    workgroupBarrier();
    for (var i = 0u; i < 16u; i = i + 1u) {
      let left = i * HEIGHT + ty;
      let right = i * WIDTH + tx;
      let top = tileOfX[left];
      let near = tileOfDy[right];
      if (TALL) {
        step(&t, top, tileOfX[left + HEIGHT / 2u], near, tileOfDy[right + WIDTH / 2u]);
      } else {
        step(&t, top, vec4f(), near, vec4f());
      }
    }
    workgroupBarrier();
  }
  let base = (split * taps + tap) * params.cin;
  let channel = firstChannel + ty;
  let quad = firstQuad + tx;
  storeFour(base, channel, quad, t.r0, t.r1, t.r2, t.r3);
  if (TALL) {
    let low = channel + HEIGHT / 2u;
    let right = quad + WIDTH / 2u;
    storeFour(base, low, quad, t.r4, t.r5, t.r6, t.r7);
    storeFour(base, channel, right, t.s0, t.s1, t.s2, t.s3);
    storeFour(base, low, right, t.s4, t.s5, t.s6, t.s7);
  }
}

fn storeFour(base: u32, channel: u32, quad: u32, v0: vec4f, v1: vec4f, v2: vec4f, v3: vec4f) {
  if (channel >= params.cin / 4u || quad >= params.cout / 4u) {
    return;
  }
  let row = base + channel * 4u;
  store(row, quad, v0);
  store(row + 1u, quad, v1);
  store(row + 2u, quad, v2);
  store(row + 3u, quad, v3);
}
