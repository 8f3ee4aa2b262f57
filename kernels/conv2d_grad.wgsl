// The weight gradient of a convolution, and the weights of its input gradient.
//
// dw[ky, kx, i, o] = sum over output pixels of x[pixel under the tap, i] dy[pixel, o].
// cin and cout are multiples of 4. The output rows of all images are cut into `splits` parts of
// `chunk` rows; each part writes its own sum, in a fixed order, and they are added afterwards.

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

override NARROW: bool = false; // cout is 4

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read> dy: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> sums: array<vec4f>;

// One invocation computes 8 input channels by 8 output channels of one tap, in registers.

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
    select(vec4f(), x[sourcePlace + channel], ox < end),
    select(vec4f(), x[sourcePlace + lastChannel], ox < end),
    dy[sinkPlace + quad],
    dy[sinkPlace + lastQuad],
  );
}

override GROUP: u32 = 16u;

@compute @workgroup_size(GROUP)
fn weights(
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
