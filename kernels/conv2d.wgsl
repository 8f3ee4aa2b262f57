// y = x * w + bias: cross-correlation of NHWC images with weights [kH, kW, cin, cout].
//
// x is read as if it had DILATION - 1 zeros between neighbours: the input gradient of a strided
// convolution is a convolution of the dilated dy with the flipped weights.
// cin and cout are multiples of 4; the host pads where they are not. Each output element is one
// chain of fused multiply-adds over ky, kx, cin, in that order, whatever its place in a tile.

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
}

override DILATION: u32 = 1u; // where not 1, stride is 1
override HAS_BIAS: bool = false;
override NARROW: bool = false; // cout is 4

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read> w: array<vec4f>;
@group(0) @binding(3) var<storage, read> bias: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> y: array<vec4f>;

fn store(pixel: u32, quad: u32, value: vec4f) {
  var sum = value;
  if (HAS_BIAS) {
    sum = sum + bias[quad];
  }
  y[pixel * (params.cout / 4u) + quad] = sum;
}

// ---- One invocation computes 8 pixels of a row by 8 channels in registers: for adapters whose
// loads are slow and whose workgroup memory is no faster than other memory (software rasterizers).

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
  if (!NARROW) {
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

// The pixels of a tile lie DILATION apart, so that the same taps reach all of them.
struct Row {
  pixel: u32, // of the first output pixel, within the batch
  distance: u32, // from one to the next
  count: u32, // how many of the 8 exist
}

fn storeRow(
  row: Row,
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
  store(row.pixel, quad, v0);
  if (row.count > 1u) {
    store(row.pixel + row.distance, quad, v1);
  }
  if (row.count > 2u) {
    store(row.pixel + 2u * row.distance, quad, v2);
  }
  if (row.count > 3u) {
    store(row.pixel + 3u * row.distance, quad, v3);
  }
  if (row.count > 4u) {
    store(row.pixel + 4u * row.distance, quad, v4);
  }
  if (row.count > 5u) {
    store(row.pixel + 5u * row.distance, quad, v5);
  }
  if (row.count > 6u) {
    store(row.pixel + 6u * row.distance, quad, v6);
  }
  if (row.count > 7u) {
    store(row.pixel + 7u * row.distance, quad, v7);
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
          select(zero, x[p0 + c], in0),
          select(zero, x[p1 + c], in1),
          select(zero, x[p2 + c], in2),
          select(zero, x[p3 + c], in3),
        ));
        let low = transpose(mat4x4f(
          select(zero, x[p4 + c], in4),
          select(zero, x[p5 + c], in5),
          select(zero, x[p6 + c], in6),
          select(zero, x[p7 + c], in7),
        ));
        let place = tap + c * params.cout + quad;
        let other = tap + c * params.cout + lastQuad;
        step(&t, top[0], low[0], w[place], w[other]);
        step(&t, top[1], low[1], w[place + cout], w[other + cout]);
        step(&t, top[2], low[2], w[place + 2u * cout], w[other + 2u * cout]);
        step(&t, top[3], low[3], w[place + 3u * cout], w[other + 3u * cout]);
      }
    }
  }
  let row = Row(
    line * params.outWidth + ox,
    DILATION,
    (params.outWidth - ox + DILATION - 1u) / DILATION,
  );
  storeRow(row, quad, t.r0, t.r1, t.r2, t.r3, t.r4, t.r5, t.r6, t.r7);
  if (!NARROW && quad + 1u < cout) {
    storeRow(row, quad + 1u, t.s0, t.s1, t.s2, t.s3, t.s4, t.s5, t.s6, t.s7);
  }
}

// ---- 256 invocations share a tile of 64 pixels by 64 channels, 16 steps of (ky, kx, cin) at a
// time, in workgroup memory; each computes 4 by 4: for real GPUs.

const ROWS: u32 = 68u; // 64 and padding against bank conflicts

var<workgroup> tileOfX: array<f32, 16 * ROWS>; // [16 steps, 64 pixels]
var<workgroup> tileOfW: array<vec4f, 16 * 16>; // [16 steps, 64 channels / 4]

// 4 channels of x under one tap of an output pixel; zero in the padding and between dilated pixels.
fn sample(pixel: u32, step: u32) -> vec4f {
  let cin = params.cin / 4u;
  let tap = step / cin;
  let ky = tap / params.kernelWidth;
  let kx = tap % params.kernelWidth;
  let image = pixel / (params.outHeight * params.outWidth);
  let oy = pixel / params.outWidth % params.outHeight;
  let ox = pixel % params.outWidth;
  let dilation = i32(DILATION);
  let sy = i32(oy * params.stride + ky) - params.top;
  let sx = i32(ox * params.stride + kx) - params.left;
  if (image >= params.batch || ky >= params.kernelHeight || sy < 0 || sx < 0 ||
    sy % dilation != 0 || sx % dilation != 0 || sy / dilation >= i32(params.height) ||
    sx / dilation >= i32(params.width)) {
    return vec4f();
  }
  let row = image * params.height + u32(sy / dilation);
  return x[(row * params.width + u32(sx / dilation)) * cin + step % cin];
}

@compute @workgroup_size(256)
fn tiled(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let cout = params.cout / 4u;
  let across = (cout + 15u) / 16u;
  let pixels = params.batch * params.outHeight * params.outWidth;
  let id = group.y * groups.x + group.x;
  let column = id % across * 16u;
  let first = id / across * 64u;
  if (first >= pixels) {
    return;
  }
  let steps = params.kernelHeight * params.kernelWidth * params.cin;
  let tx = lane % 16u;
  let ty = lane / 16u;
  var c0 = vec4f();
  var c1 = vec4f();
  var c2 = vec4f();
  var c3 = vec4f();
  for (var k = 0u; k < steps; k = k + 16u) {
    let value = sample(first + lane / 4u, k / 4u + lane % 4u);
    let at = lane % 4u * 4u * ROWS + lane / 4u;
    tileOfX[at] = value.x;
    tileOfX[at + ROWS] = value.y;
    tileOfX[at + 2u * ROWS] = value.z;
    tileOfX[at + 3u * ROWS] = value.w;
    let place = min(k + ty, steps - 1u) * cout + min(column + tx, cout - 1u);
    tileOfW[lane] = select(vec4f(), w[place], k + ty < steps);
    workgroupBarrier();
    for (var i = 0u; i < 16u; i = i + 1u) {
      let right = tileOfW[i * 16u + tx];
      let left = i * ROWS + ty * 4u;
      c0 = fma(vec4f(tileOfX[left]), right, c0);
      c1 = fma(vec4f(tileOfX[left + 1u]), right, c1);
      c2 = fma(vec4f(tileOfX[left + 2u]), right, c2);
      c3 = fma(vec4f(tileOfX[left + 3u]), right, c3);
    }
    workgroupBarrier();
  }
  let quad = column + tx;
  if (quad >= cout) {
    return;
  }
  let pixel = first + ty * 4u;
  if (pixel < pixels) {
    store(pixel, quad, c0);
  }
  if (pixel + 1u < pixels) {
    store(pixel + 1u, quad, c1);
  }
  if (pixel + 2u < pixels) {
    store(pixel + 2u, quad, c2);
  }
  if (pixel + 3u < pixels) {
    store(pixel + 3u, quad, c3);
  }
}
