// y = x * w + bias: cross-correlation of NHWC images with weights [kH, kW, cin, cout].
//
// x is read as if it had DILATION - 1 zeros between neighbours: the input gradient of a strided
// convolution is a convolution of the dilated dy with the flipped weights.
// cin and cout are multiples of 4; the host pads where they are not. Each output element is one
// chain of fused multiply-adds over ky, kx, cin, in that order, in every entry and whatever its place
// in a tile.

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
  top: i32,
  left: i32,
  // top and left modulo DILATION, from 0 to DILATION - 1
  topPhase: u32,
  leftPhase: u32,
  hasBias: u32,
}

override DILATION: u32 = 1u; // where not 1, stride is 1
override NARROW: bool = false; // an invocation computes 4 channels and not 8

alias X = f32; // as they are stored
alias W = f32;
alias Y = f32;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<X>>;
@group(0) @binding(2) var<storage, read> w: array<vec4<W>>;
@group(0) @binding(3) var<storage, read> bias: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> y: array<vec4<Y>>;
@group(0) @binding(5) var<storage, read> singles: array<X>; // x, channel by channel

fn loadW(at: u32) -> vec4f {
  return vec4f(w[at]);
}

fn store(pixel: u32, quad: u32, value: vec4f) {
  var sum = value;
  if (params.hasBias == 1u) {
    sum = sum + bias[quad];
  }
  y[pixel * (params.cout / 4u) + quad] = vec4<Y>(sum);
}

// 8 pixels by 8 channels, of which the entries below may compute a part.
struct Tile {
  r0: vec4f, r1: vec4f, r2: vec4f, r3: vec4f, r4: vec4f, r5: vec4f, r6: vec4f, r7: vec4f,
  s0: vec4f, s1: vec4f, s2: vec4f, s3: vec4f, s4: vec4f, s5: vec4f, s6: vec4f, s7: vec4f,
}

override TALL: bool = true; // 8 pixels and not 4

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

// ---- One invocation computes 8 pixels of a row by 8 channels in registers: for small images on a CPU,
// and where workgroup memory does not pay.

// The pixels of a tile lie DILATION apart, so that the same taps reach all of them.
struct Run {
  pixel: u32, // of the first output pixel, within the batch
  distance: u32, // from one to the next
  count: u32, // how many of the 8 exist
}

fn storeRun(
  run: Run,
  quad: u32,
  v0: vec4f,
  v1: vec4f,
  v2: vec4f,
  v3: vec4f,
  v4: vec4f,
  v5: vec4f,
  v6: vec4f,
  v7: vec4f,
) {
  store(run.pixel, quad, v0);
  if (run.count > 1u) {
    store(run.pixel + run.distance, quad, v1);
  }
  if (run.count > 2u) {
    store(run.pixel + 2u * run.distance, quad, v2);
  }
  if (run.count > 3u) {
    store(run.pixel + 3u * run.distance, quad, v3);
  }
  if (run.count > 4u) {
    store(run.pixel + 4u * run.distance, quad, v4);
  }
  if (run.count > 5u) {
    store(run.pixel + 5u * run.distance, quad, v5);
  }
  if (run.count > 6u) {
    store(run.pixel + 6u * run.distance, quad, v6);
  }
  if (run.count > 7u) {
    store(run.pixel + 7u * run.distance, quad, v7);
  }
}

fn inside(position: i32, extent: u32) -> bool {
  return position >= 0 && position < i32(extent);
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
  let stride = i32(params.stride);
  // Which channels, which columns, which row of which image.
  let across = (cout + 1u) / 2u;
  let tiles = (params.outWidth + 8u * DILATION - 1u) / (8u * DILATION);
  let id = (group.y * groups.x + group.x) * GROUP + lane;
  let quad = id % across * 2u;
  let phase = id / across % DILATION;
  let ox = id / (across * DILATION) % tiles * 8u * DILATION + phase;
  let line = id / (across * DILATION * tiles);
  let image = line / params.outHeight;
  let oy = line % params.outHeight;
  if (image >= params.batch || ox >= params.outWidth) {
    return;
  }
  let lastQuad = min(quad + 1u, cout - 1u);
  var t = Tile();
  let firstKy = (params.topPhase + DILATION - oy % DILATION) % DILATION;
  let firstKx = (params.leftPhase + DILATION - phase) % DILATION;
  for (var ky = firstKy; ky < params.kernelHeight; ky = ky + DILATION) {
    let iy = (i32(oy * params.stride + ky) - params.top) / i32(DILATION);
    if (!inside(iy, params.height)) {
      continue;
    }
    let start = (image * params.height + u32(iy)) * params.width;
    for (var kx = firstKx; kx < params.kernelWidth; kx = kx + DILATION) {
      let ix = (i32(ox * params.stride + kx) - params.left) / i32(DILATION);
      let in0 = inside(ix, params.width);
      let in1 = inside(ix + stride, params.width);
      let in2 = inside(ix + 2 * stride, params.width);
      let in3 = inside(ix + 3 * stride, params.width);
      let in4 = inside(ix + 4 * stride, params.width);
      let in5 = inside(ix + 5 * stride, params.width);
      let in6 = inside(ix + 6 * stride, params.width);
      let in7 = inside(ix + 7 * stride, params.width);
      let place0 = (i32(start) + ix) * i32(cin);
      let apart = stride * i32(cin);
      let p0 = u32(select(0, place0, in0));
      let p1 = u32(select(0, place0 + apart, in1));
      let p2 = u32(select(0, place0 + 2 * apart, in2));
      let p3 = u32(select(0, place0 + 3 * apart, in3));
      let p4 = u32(select(0, place0 + 4 * apart, in4));
      let p5 = u32(select(0, place0 + 5 * apart, in5));
      let p6 = u32(select(0, place0 + 6 * apart, in6));
      let p7 = u32(select(0, place0 + 7 * apart, in7));
      let tap = (ky * params.kernelWidth + kx) * params.cin * cout;
      for (var c = 0u; c < cin; c = c + 1u) {
        let zero = vec4f();
        let top = transpose(mat4x4f(
          select(zero, vec4f(x[p0 + c]), in0),
          select(zero, vec4f(x[p1 + c]), in1),
          select(zero, vec4f(x[p2 + c]), in2),
          select(zero, vec4f(x[p3 + c]), in3),
        ));
        let low = transpose(mat4x4f(
          select(zero, vec4f(x[p4 + c]), in4),
          select(zero, vec4f(x[p5 + c]), in5),
          select(zero, vec4f(x[p6 + c]), in6),
          select(zero, vec4f(x[p7 + c]), in7),
        ));
        let place = tap + c * params.cout + quad;
        let other = tap + c * params.cout + lastQuad;
        step(&t, top[0], low[0], loadW(place), loadW(other));
        step(&t, top[1], low[1], loadW(place + cout), loadW(other + cout));
        step(&t, top[2], low[2], loadW(place + 2u * cout), loadW(other + 2u * cout));
        step(&t, top[3], low[3], loadW(place + 3u * cout), loadW(other + 3u * cout));
      }
    }
  }
  let run = Run(
    line * params.outWidth + ox,
    DILATION,
    (params.outWidth - ox + DILATION - 1u) / DILATION,
  );
  storeRun(run, quad, t.r0, t.r1, t.r2, t.r3, t.r4, t.r5, t.r6, t.r7);
  if (!NARROW && quad + 1u < cout) {
    storeRun(run, quad + 1u, t.s0, t.s1, t.s2, t.s3, t.s4, t.s5, t.s6, t.s7);
  }
}

// ---- One invocation computes 16 pixels of a row by 16 channels, channel by channel of x: for adapters
// on a CPU, whose loads cost as much as dozens of multiplications, and whose accumulators may as well
// lie in memory. A row has 16 pixels at least, DILATION apart, and cout is 16 at least: the last tiles
// begin within those before, and write what is their own. Loops instead of branches are short code,
// which such drivers compile fast and run best.

// 16 channels of one pixel, and of four.
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

// Four pixels under a tap: where they are, and whether the image has them.
struct Four { at: vec4u, exists: vec4<bool> }

fn four(start: i32, first: i32) -> Four {
  let column = vec4i(first) + vec4i(0, 1, 2, 3) * i32(params.stride);
  let exists = (column >= vec4i()) & (column < vec4i(i32(params.width)));
  let at = select(vec4i(), (vec4i(start) + column) * i32(params.cin), exists);
  return Four(vec4u(at), exists);
}

fn channelOf(pixels: Four, c: u32) -> vec4f {
  let at = pixels.at + c;
  let values = vec4f(
    f32(singles[at.x]),
    f32(singles[at.y]),
    f32(singles[at.z]),
    f32(singles[at.w]),
  );
  return select(vec4f(), values, pixels.exists);
}

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

// Pixel `i` of four times four.
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

// The last vec4 of a pixel; the first `skipped` are another tile's.
fn storePixel(at: u32, skipped: u32, value: Row) {
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
fn wide(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let cout = params.cout / 4u;
  let across = (cout + 3u) / 4u;
  // By the phase with most pixels; where another has fewer, its last tile is computed twice.
  let tiles = ((params.outWidth + DILATION - 1u) / DILATION + 15u) / 16u;
  let last = params.batch * params.outHeight * tiles * DILATION * across - 1u;
  let number = (group.y * groups.x + group.x) * GROUP + lane;
  let id = min(number, last); // an invocation too many stores nothing
  let own = id % across * 4u;
  let quad = min(own, cout - 4u);
  let phase = id / across % DILATION;
  let count = (params.outWidth - phase + DILATION - 1u) / DILATION;
  let ownPixel = id / (across * DILATION) % tiles * 16u;
  let pixel = min(ownPixel, count - 16u);
  let ox = pixel * DILATION + phase;
  let line = id / (across * DILATION * tiles);
  let oy = line % params.outHeight;
  let image = line / params.outHeight;
  let firstKy = (params.topPhase + DILATION - oy % DILATION) % DILATION;
  let firstKx = (params.leftPhase + DILATION - phase) % DILATION;
  let stride = i32(params.stride);
  var t0 = Rows();
  var t1 = Rows();
  var t2 = Rows();
  var t3 = Rows();
  for (var ky = firstKy; ky < params.kernelHeight; ky = ky + DILATION) {
    let iy = (i32(oy * params.stride + ky) - params.top) / i32(DILATION);
    if (!inside(iy, params.height)) {
      continue;
    }
    let start = i32((image * params.height + u32(iy)) * params.width);
    for (var kx = firstKx; kx < params.kernelWidth; kx = kx + DILATION) {
      let ix = (i32(ox * params.stride + kx) - params.left) / i32(DILATION);
      let p0 = four(start, ix);
      let p1 = four(start, ix + 4 * stride);
      let p2 = four(start, ix + 8 * stride);
      let p3 = four(start, ix + 12 * stride);
      let tap = (ky * params.kernelWidth + kx) * params.cin * cout + quad;
      for (var c = 0u; c < params.cin; c = c + 1u) {
        let x0 = channelOf(p0, c);
        let x1 = channelOf(p1, c);
        let x2 = channelOf(p2, c);
        let x3 = channelOf(p3, c);
        let at = tap + c * cout;
        let right = Row(loadW(at), loadW(at + 1u), loadW(at + 2u), loadW(at + 3u));
        t0 = addRows(t0, x0, right);
        t1 = addRows(t1, x1, right);
        t2 = addRows(t2, x2, right);
        t3 = addRows(t3, x3, right);
      }
    }
  }
  let added = biasAt(quad);
  let at = (line * params.outWidth + ox) * cout + quad;
  for (var i = ownPixel - pixel; i < select(16u, 0u, number > last); i = i + 1u) {
    let row = rowOf(t0, t1, t2, t3, i);
    let sum = Row(row.a + added.a, row.b + added.b, row.c + added.c, row.d + added.d);
    storePixel(at + i * DILATION * cout, own - quad, sum);
  }
}

// ---- The invocations of a workgroup share a tile of HEIGHT vec4 of pixels by WIDTH vec4 of channels,
// 16 steps of (ky, kx, cin) at a time, in workgroup memory: for real GPUs. Each computes 4 pixels by 4
// channels, or 8 by 8 as four such blocks half a tile apart, so that neighbours read side by side.

override THREADS: u32 = 128u; // 8 across
override HEIGHT: u32 = 32u;
override WIDTH: u32 = 16u;
// Distance from one step to the next: padded against bank conflicts.
override X_STEP: u32 = HEIGHT + 1u;
override W_STEP: u32 = WIDTH + 1u;
override X_SIZE: u32 = 16u * X_STEP;
override W_SIZE: u32 = 16u * W_STEP;

var<workgroup> tileOfX: array<vec4f, X_SIZE>; // [16 steps, pixels / 4]
var<workgroup> tileOfW: array<vec4f, W_SIZE>; // [16 steps, channels / 4]

// An output pixel: its image's first row in x, and where its first tap lies in the dilated image.
struct Corner { rows: u32, y: i32, x: i32 }

fn cornerOf(pixel: u32) -> Corner {
  let image = pixel / (params.outHeight * params.outWidth);
  let oy = pixel / params.outWidth % params.outHeight;
  let ox = pixel % params.outWidth;
  return Corner(
    min(image, params.batch - 1u) * params.height,
    i32(oy * params.stride) - params.top,
    i32(ox * params.stride) - params.left,
  );
}

// 4 channels of x under a tap; zero in the padding and between dilated pixels.
fn sample(corner: Corner, ky: u32, kx: u32, channel: u32) -> vec4f {
  let dilation = i32(DILATION);
  let sy = corner.y + i32(ky);
  let sx = corner.x + i32(kx);
  let isIn = ky < params.kernelHeight && sy >= 0 && sx >= 0 && sy % dilation == 0 &&
    sx % dilation == 0 && sy / dilation < i32(params.height) && sx / dilation < i32(params.width);
  let row = corner.rows + u32(max(sy, 0) / dilation);
  let place = (row * params.width + u32(max(sx, 0) / dilation)) * (params.cin / 4u) + channel;
  return select(vec4f(), vec4f(x[select(0u, place, isIn)]), isIn);
}

@compute @workgroup_size(THREADS)
fn tiled(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let cin = params.cin / 4u;
  let cout = params.cout / 4u;
  let across = (cout + WIDTH - 1u) / WIDTH;
  let pixels = params.batch * params.outHeight * params.outWidth;
  let id = group.y * groups.x + group.x;
  let column = id % across * WIDTH;
  let first = id / across * HEIGHT * 4u;
  if (first >= pixels) {
    return;
  }
  let steps = params.kernelHeight * params.kernelWidth * params.cin;
  // What this invocation brings of x: 4 pixels at 4 steps.
  let block = lane / 4u;
  let c0 = cornerOf(first + block * 4u);
  let c1 = cornerOf(first + block * 4u + 1u);
  let c2 = cornerOf(first + block * 4u + 2u);
  let c3 = cornerOf(first + block * 4u + 3u);
  let tx = lane % 8u;
  let ty = lane / 8u;
  var t = Tile();
  for (var k = 0u; k < steps; k = k + 16u) {
    if (block < HEIGHT) {
      let quad = k / 4u + lane % 4u;
      let tap = quad / cin;
      let ky = tap / params.kernelWidth;
      let kx = tap % params.kernelWidth;
      let channel = quad % cin;
      let found = transpose(mat4x4f(
        sample(c0, ky, kx, channel),
        sample(c1, ky, kx, channel),
        sample(c2, ky, kx, channel),
        sample(c3, ky, kx, channel),
      ));
      let place = lane % 4u * 4u * X_STEP + block;
      tileOfX[place] = found[0];
      tileOfX[place + X_STEP] = found[1];
      tileOfX[place + 2u * X_STEP] = found[2];
      tileOfX[place + 3u * X_STEP] = found[3];
    }
    for (var i = lane; i < 16u * WIDTH; i = i + THREADS) {
      let down = i / WIDTH;
      let place = min(k + down, steps - 1u) * cout + min(column + i % WIDTH, cout - 1u);
      tileOfW[down * W_STEP + i % WIDTH] = select(vec4f(), loadW(place), k + down < steps);
    }
    workgroupBarrier();
    for (var i = 0u; i < 16u; i = i + 1u) {
      let left = i * X_STEP + ty;
      let right = i * W_STEP + tx;
      let top = tileOfX[left];
      let near = tileOfW[right];
      if (TALL) {
        step(&t, top, tileOfX[left + HEIGHT / 2u], near, tileOfW[right + WIDTH / 2u]);
      } else {
        step(&t, top, vec4f(), near, vec4f());
      }
    }
    workgroupBarrier();
  }
  let pixel = first + ty * 4u;
  storeFour(pixel, pixels, column + tx, t.r0, t.r1, t.r2, t.r3);
  if (TALL) {
    let low = pixel + HEIGHT * 2u;
    let right = column + tx + WIDTH / 2u;
    storeFour(low, pixels, column + tx, t.r4, t.r5, t.r6, t.r7);
    storeFour(pixel, pixels, right, t.s0, t.s1, t.s2, t.s3);
    storeFour(low, pixels, right, t.s4, t.s5, t.s6, t.s7);
  }
}

fn storeFour(pixel: u32, pixels: u32, quad: u32, v0: vec4f, v1: vec4f, v2: vec4f, v3: vec4f) {
  if (quad >= params.cout / 4u || pixel >= pixels) {
    return;
  }
  store(pixel, quad, v0);
  if (pixel + 1u < pixels) {
    store(pixel + 1u, quad, v1);
  }
  if (pixel + 2u < pixels) {
    store(pixel + 2u, quad, v2);
  }
  if (pixel + 3u < pixels) {
    store(pixel + 3u, quad, v3);
  }
}
