// The transforms of Winograd's minimal filtering F(4×4, 3×3): a convolution with a 3×3 kernel and
// stride 1 becomes 36 matrix products, a quarter of the direct form's multiplications.
//
//   y = Aᵀ [ (G w Gᵀ) ⊙ (Bᵀ x B) ] A      for each tile of 4×4 outputs under 6×6 inputs
//   dw = Gᵀ [ Σ (Bᵀ x B) ⊙ (A dy Aᵀ) ] G
//
// Interpolation is at 0, ±3/4, ±3/2 and ∞, whose powers are exact and of similar size: the error is
// about twice that of a direct sum, where 0, ±1, ±2, ∞ make it five times that. (Toom-Cook: B holds
// the coefficients of ∏ (x − p) over the other points, A powers of p, G powers over ∏ (p − other).)
//
// A transformed map is [36, tiles, channels]. Tiles do not straddle images. Channels are multiples
// of 4. Each entry computes 4 channels of one tile, or of one weight, in registers.

struct Params {
  // The image that is cut into tiles, or that tiles make.
  height: u32,
  width: u32,
  channels: u32,
  // Pixels of zeros above and before.
  top: u32,
  left: u32,
  // Tiles of one image.
  down: u32,
  across: u32,
  // Of the `total` tiles of all images, those that the transformed map holds. Their number is a
  // multiple of 4: past the last tile of all there are zeros.
  first: u32,
  tiles: u32,
  total: u32,
  // Of x's group norm, if it has one.
  groups: u32,
  eps: f32,
}

override HAS_BIAS: bool = false;
override HAS_RESIDUAL: bool = false;
override NORMED: bool = false; // x is read through group norm
override SILU: bool = false; // and through SiLU
override DOUBLED: bool = false; // x is read at twice its height and width
override HALVED: bool = false; // y is that of DOUBLED: sums of 2 by 2
override GROUP: u32 = 16u;

alias X = f32; // as they are stored
alias Y = f32;
alias Residual = f32;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<X>>;
@group(0) @binding(2) var<storage, read> bias: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4<Y>>;
@group(0) @binding(4) var<storage, read> residual: array<vec4<Residual>>;
@group(0) @binding(5) var<storage, read> gamma: array<vec4f>;
@group(0) @binding(6) var<storage, read> beta: array<vec4f>;
@group(0) @binding(7) var<storage, read> mean: array<f32>; // [images, groups]
@group(0) @binding(8) var<storage, read> variance: array<f32>;

struct Three { a: vec4f, b: vec4f, c: vec4f }
struct Four { a: vec4f, b: vec4f, c: vec4f, d: vec4f }
struct Six { a: vec4f, b: vec4f, c: vec4f, d: vec4f, e: vec4f, f: vec4f }

// Bᵀ d
fn toFrequencies(d: Six) -> Six {
  let near = d.e - 2.25 * d.c;
  let nearOdd = 0.75 * (d.d - 2.25 * d.b);
  let far = d.e - 0.5625 * d.c;
  let farOdd = 1.5 * (d.d - 0.5625 * d.b);
  return Six(
    1.265625 * d.a - 2.8125 * d.c + d.e,
    near + nearOdd,
    near - nearOdd,
    far + farOdd,
    far - farOdd,
    1.265625 * d.b - 2.8125 * d.d + d.f,
  );
}

// Aᵀ m
fn toOutputs(m: Six) -> Four {
  let near = m.b + m.c;
  let nearOdd = 0.75 * (m.b - m.c);
  let far = m.d + m.e;
  let farOdd = 1.5 * (m.d - m.e);
  return Four(
    m.a + near + far,
    nearOdd + farOdd,
    0.5625 * near + 2.25 * far,
    0.5625 * nearOdd + 2.25 * farOdd + m.f,
  );
}

// A d
fn fromOutputs(d: Four) -> Six {
  let near = d.a + 0.5625 * d.c;
  let nearOdd = 0.75 * (d.b + 0.5625 * d.d);
  let far = d.a + 2.25 * d.c;
  let farOdd = 1.5 * (d.b + 2.25 * d.d);
  return Six(d.a, near + nearOdd, near - nearOdd, far + farOdd, far - farOdd, d.d);
}

const NEAR: f32 = -128.0 / 243.0;
const FAR: f32 = 32.0 / 243.0;
const ZERO: f32 = 64.0 / 81.0;

// G w
fn fromWeights(w: Three) -> Six {
  let near = NEAR * (w.a + 0.5625 * w.c);
  let nearOdd = NEAR * 0.75 * w.b;
  let far = FAR * (w.a + 2.25 * w.c);
  let farOdd = FAR * 1.5 * w.b;
  return Six(ZERO * w.a, near + nearOdd, near - nearOdd, far + farOdd, far - farOdd, w.c);
}

// Gᵀ s
fn toWeights(s: Six) -> Three {
  let near = NEAR * (s.b + s.c);
  let far = FAR * (s.d + s.e);
  return Three(
    ZERO * s.a + near + far,
    NEAR * 0.75 * (s.b - s.c) + FAR * 1.5 * (s.d - s.e),
    0.5625 * near + 2.25 * far + s.f,
  );
}

// Where 4 channels of a tile are.
struct Place {
  // Whether the transformed map has such a tile, and whether an image has it.
  exists: bool,
  isReal: bool,
  quad: u32,
  image: u32,
  // The tile's first output.
  row: u32,
  column: u32,
  // Its frequencies in the transformed map: the first, and the distance to the next.
  frequency: u32,
  apart: u32,
}

fn placeOf(id: u32) -> Place {
  let quads = params.channels / 4u;
  let tile = params.first + id / quads;
  let area = params.down * params.across;
  return Place(
    id < params.tiles * quads,
    tile < params.total,
    id % quads,
    tile / area,
    tile % area / params.across * 4u,
    tile % params.across * 4u,
    id,
    params.tiles * quads,
  );
}

fn storeRow(at: u32, apart: u32, v: Six) {
  y[at] = vec4<Y>(v.a);
  y[at + apart] = vec4<Y>(v.b);
  y[at + 2u * apart] = vec4<Y>(v.c);
  y[at + 3u * apart] = vec4<Y>(v.d);
  y[at + 4u * apart] = vec4<Y>(v.e);
  y[at + 5u * apart] = vec4<Y>(v.f);
}

fn loadRow(at: u32, apart: u32) -> Six {
  return Six(
    vec4f(x[at]),
    vec4f(x[at + apart]),
    vec4f(x[at + 2u * apart]),
    vec4f(x[at + 3u * apart]),
    vec4f(x[at + 4u * apart]),
    vec4f(x[at + 5u * apart]),
  );
}

fn storeFrequencies(p: Place, r0: Six, r1: Six, r2: Six, r3: Six, r4: Six, r5: Six) {
  storeRow(p.frequency, p.apart, r0);
  storeRow(p.frequency + 6u * p.apart, p.apart, r1);
  storeRow(p.frequency + 12u * p.apart, p.apart, r2);
  storeRow(p.frequency + 18u * p.apart, p.apart, r3);
  storeRow(p.frequency + 24u * p.apart, p.apart, r4);
  storeRow(p.frequency + 30u * p.apart, p.apart, r5);
}

// Whether a pixel of the padded image, counted from the padding's corner, is one of the image.
fn isInside(p: Place, row: u32, column: u32) -> bool {
  return p.isReal && row >= params.top && row < params.top + params.height &&
    column >= params.left && column < params.left + params.width;
}

// That pixel; zero in the padding.
fn pixel(p: Place, row: u32, column: u32) -> vec4f {
  let exists = isInside(p, row, column);
  let at = (p.image * params.height + row - params.top) * params.width + column - params.left;
  return select(vec4f(), vec4f(x[select(0u, at * (params.channels / 4u) + p.quad, exists)]), exists);
}

// What four channels of an image are normed by.
struct Norm { mean: vec4f, inverse: vec4f, weight: vec4f, bias: vec4f }

fn normOf(p: Place) -> Norm {
  if (!NORMED) {
    return Norm();
  }
  let channels = 4u * p.quad + vec4u(0u, 1u, 2u, 3u);
  let g = p.image * params.groups + channels / (params.channels / params.groups);
  let spread = vec4f(variance[g.x], variance[g.y], variance[g.z], variance[g.w]);
  return Norm(
    vec4f(mean[g.x], mean[g.y], mean[g.z], mean[g.w]),
    inverseSqrt(spread + params.eps),
    gamma[p.quad],
    beta[p.quad],
  );
}

// The pixel as the convolution sees it: the padding is not normed. As in group_norm.wgsl, to the bit.
fn sample(p: Place, by: Norm, row: u32, column: u32) -> vec4f {
  let value = pixel(p, row, column);
  if (!NORMED) {
    return value;
  }
  var z = (value - by.mean) * by.inverse * by.weight + by.bias;
  if (SILU) {
    let e = exp(-abs(z));
    z = z * (select(e, vec4f(1.0), z >= vec4f()) / (1.0 + e));
  }
  return select(vec4f(), z, isInside(p, row, column));
}

fn inputRow(p: Place, by: Norm, row: u32) -> Six {
  return toFrequencies(Six(
    sample(p, by, row, p.column),
    sample(p, by, row, p.column + 1u),
    sample(p, by, row, p.column + 2u),
    sample(p, by, row, p.column + 3u),
    sample(p, by, row, p.column + 4u),
    sample(p, by, row, p.column + 5u),
  ));
}

// A row of the doubled image, of which 6 pixels are 4 of x: its padding is 1, as is that of x.
fn doubledRow(p: Place, by: Norm, row: u32) -> Six {
  let first = p.column / 2u;
  let a = sample(p, by, row, first);
  let b = sample(p, by, row, first + 1u);
  let c = sample(p, by, row, first + 2u);
  let d = sample(p, by, row, first + 3u);
  return toFrequencies(Six(a, b, b, c, c, d));
}

fn storeInputs(p: Place, r0: Six, r1: Six, r2: Six, r3: Six, r4: Six, r5: Six) {
  storeFrequencies(
    p,
    toFrequencies(Six(r0.a, r1.a, r2.a, r3.a, r4.a, r5.a)),
    toFrequencies(Six(r0.b, r1.b, r2.b, r3.b, r4.b, r5.b)),
    toFrequencies(Six(r0.c, r1.c, r2.c, r3.c, r4.c, r5.c)),
    toFrequencies(Six(r0.d, r1.d, r2.d, r3.d, r4.d, r5.d)),
    toFrequencies(Six(r0.e, r1.e, r2.e, r3.e, r4.e, r5.e)),
    toFrequencies(Six(r0.f, r1.f, r2.f, r3.f, r4.f, r5.f)),
  );
}

// Bᵀ x B of every tile.
@compute @workgroup_size(GROUP)
fn inputs(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let p = placeOf((group.y * groups.x + group.x) * GROUP + lane);
  if (!p.exists) {
    return;
  }
  let by = normOf(p);
  if (DOUBLED) {
    let first = p.row / 2u;
    let a = doubledRow(p, by, first);
    let b = doubledRow(p, by, first + 1u);
    let c = doubledRow(p, by, first + 2u);
    let d = doubledRow(p, by, first + 3u);
    storeInputs(p, a, b, b, c, c, d);
  } else {
    storeInputs(
      p,
      inputRow(p, by, p.row),
      inputRow(p, by, p.row + 1u),
      inputRow(p, by, p.row + 2u),
      inputRow(p, by, p.row + 3u),
      inputRow(p, by, p.row + 4u),
      inputRow(p, by, p.row + 5u),
    );
  }
}

// An output of the tile; zero where the image ends before it.
fn output(p: Place, row: u32, column: u32) -> vec4f {
  let exists = p.isReal && row < params.height && column < params.width;
  let at = (p.image * params.height + row) * params.width + column;
  return select(vec4f(), vec4f(x[select(0u, at * (params.channels / 4u) + p.quad, exists)]), exists);
}

fn outputRow(p: Place, row: u32) -> Six {
  return fromOutputs(Four(
    output(p, row, p.column),
    output(p, row, p.column + 1u),
    output(p, row, p.column + 2u),
    output(p, row, p.column + 3u),
  ));
}

// A dy Aᵀ of every tile.
@compute @workgroup_size(GROUP)
fn cotangents(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let p = placeOf((group.y * groups.x + group.x) * GROUP + lane);
  if (!p.exists) {
    return;
  }
  let r0 = outputRow(p, p.row);
  let r1 = outputRow(p, p.row + 1u);
  let r2 = outputRow(p, p.row + 2u);
  let r3 = outputRow(p, p.row + 3u);
  let c0 = fromOutputs(Four(r0.a, r1.a, r2.a, r3.a));
  let c1 = fromOutputs(Four(r0.b, r1.b, r2.b, r3.b));
  let c2 = fromOutputs(Four(r0.c, r1.c, r2.c, r3.c));
  let c3 = fromOutputs(Four(r0.d, r1.d, r2.d, r3.d));
  let c4 = fromOutputs(Four(r0.e, r1.e, r2.e, r3.e));
  let c5 = fromOutputs(Four(r0.f, r1.f, r2.f, r3.f));
  storeFrequencies(p, c0, c1, c2, c3, c4, c5);
}

fn storeOutput(p: Place, row: u32, column: u32, value: vec4f) {
  if (row < params.height && column < params.width) {
    let pixel = (p.image * params.height + row) * params.width + column;
    let at = pixel * (params.channels / 4u) + p.quad;
    var sum = value;
    if (HAS_BIAS) {
      sum = sum + bias[p.quad];
    }
    if (HAS_RESIDUAL) {
      sum = sum + vec4f(residual[at]);
    }
    y[at] = vec4<Y>(sum);
  }
}

fn storeOutputs(p: Place, row: u32, v: Four) {
  storeOutput(p, row, p.column, v.a);
  storeOutput(p, row, p.column + 1u, v.b);
  storeOutput(p, row, p.column + 2u, v.c);
  storeOutput(p, row, p.column + 3u, v.d);
}

// Two rows of y as one of half as many pixels.
fn storeHalved(p: Place, row: u32, above: Four, below: Four) {
  let column = p.column / 2u;
  storeOutput(p, row, column, (above.a + above.b) + (below.a + below.b));
  storeOutput(p, row, column + 1u, (above.c + above.d) + (below.c + below.d));
}

// Aᵀ m A of every tile, and what is added to it.
@compute @workgroup_size(GROUP)
fn outputs(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let p = placeOf((group.y * groups.x + group.x) * GROUP + lane);
  if (!p.exists || !p.isReal) {
    return;
  }
  let c0 = toOutputs(loadRow(p.frequency, p.apart));
  let c1 = toOutputs(loadRow(p.frequency + 6u * p.apart, p.apart));
  let c2 = toOutputs(loadRow(p.frequency + 12u * p.apart, p.apart));
  let c3 = toOutputs(loadRow(p.frequency + 18u * p.apart, p.apart));
  let c4 = toOutputs(loadRow(p.frequency + 24u * p.apart, p.apart));
  let c5 = toOutputs(loadRow(p.frequency + 30u * p.apart, p.apart));
  let r0 = toOutputs(Six(c0.a, c1.a, c2.a, c3.a, c4.a, c5.a));
  let r1 = toOutputs(Six(c0.b, c1.b, c2.b, c3.b, c4.b, c5.b));
  let r2 = toOutputs(Six(c0.c, c1.c, c2.c, c3.c, c4.c, c5.c));
  let r3 = toOutputs(Six(c0.d, c1.d, c2.d, c3.d, c4.d, c5.d));
  if (HALVED) {
    storeHalved(p, p.row / 2u, r0, r1);
    storeHalved(p, p.row / 2u + 1u, r2, r3);
  } else {
    storeOutputs(p, p.row, r0);
    storeOutputs(p, p.row + 1u, r1);
    storeOutputs(p, p.row + 2u, r2);
    storeOutputs(p, p.row + 3u, r3);
  }
}

fn weightRow(first: u32, apart: u32) -> Six {
  return fromWeights(Three(vec4f(x[first]), vec4f(x[first + apart]), vec4f(x[first + 2u * apart])));
}

// G w Gᵀ: [3, 3, size] to [36, size], where `tiles` is cin and `channels` cout.
@compute @workgroup_size(GROUP)
fn weights(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let p = placeOf((group.y * groups.x + group.x) * GROUP + lane);
  if (!p.exists) {
    return;
  }
  let r0 = weightRow(p.frequency, p.apart);
  let r1 = weightRow(p.frequency + 3u * p.apart, p.apart);
  let r2 = weightRow(p.frequency + 6u * p.apart, p.apart);
  let c0 = fromWeights(Three(r0.a, r1.a, r2.a));
  let c1 = fromWeights(Three(r0.b, r1.b, r2.b));
  let c2 = fromWeights(Three(r0.c, r1.c, r2.c));
  let c3 = fromWeights(Three(r0.d, r1.d, r2.d));
  let c4 = fromWeights(Three(r0.e, r1.e, r2.e));
  let c5 = fromWeights(Three(r0.f, r1.f, r2.f));
  storeFrequencies(p, c0, c1, c2, c3, c4, c5);
}

// Gᵀ s G: the way back, [36, size] to [3, 3, size].
@compute @workgroup_size(GROUP)
fn weightGradient(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let p = placeOf((group.y * groups.x + group.x) * GROUP + lane);
  if (!p.exists) {
    return;
  }
  let c0 = toWeights(loadRow(p.frequency, p.apart));
  let c1 = toWeights(loadRow(p.frequency + 6u * p.apart, p.apart));
  let c2 = toWeights(loadRow(p.frequency + 12u * p.apart, p.apart));
  let c3 = toWeights(loadRow(p.frequency + 18u * p.apart, p.apart));
  let c4 = toWeights(loadRow(p.frequency + 24u * p.apart, p.apart));
  let c5 = toWeights(loadRow(p.frequency + 30u * p.apart, p.apart));
  let r0 = toWeights(Six(c0.a, c1.a, c2.a, c3.a, c4.a, c5.a));
  let r1 = toWeights(Six(c0.b, c1.b, c2.b, c3.b, c4.b, c5.b));
  let r2 = toWeights(Six(c0.c, c1.c, c2.c, c3.c, c4.c, c5.c));
  let at = p.frequency;
  y[at] = vec4<Y>(r0.a);
  y[at + p.apart] = vec4<Y>(r0.b);
  y[at + 2u * p.apart] = vec4<Y>(r0.c);
  y[at + 3u * p.apart] = vec4<Y>(r1.a);
  y[at + 4u * p.apart] = vec4<Y>(r1.b);
  y[at + 5u * p.apart] = vec4<Y>(r1.c);
  y[at + 6u * p.apart] = vec4<Y>(r2.a);
  y[at + 7u * p.apart] = vec4<Y>(r2.b);
  y[at + 8u * p.apart] = vec4<Y>(r2.c);
}
