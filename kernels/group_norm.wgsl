// Group normalisation over [images, pixels, channels], optionally followed by SiLU.
//
// Statistics come in two steps. `moments` gives each channel of each chunk of pixels its mean and its
// sum of squared deviations, shifted by the chunk's first value, so that a large mean costs no digits
// (for n values the relative error of the second is at most about n times that of one float).
// `statistics` joins them per group around the group's mean (Chan, Golub & LeVeque 1979). Chunks
// depend on the shape of one image only.

struct Params {
  images: u32,
  pixels: u32,
  channels: u32,
  groups: u32,
  chunk: u32, // pixels a chunk
  chunks: u32,
  strip: u32, // pixels a thread of the elementwise entries
  strips: u32,
  eps: f32,
}

override SILU: bool = false;
override GROUP: u32 = 64u;

alias Input = f32; // as they are stored
alias Output = f32;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<Input>;
@group(0) @binding(2) var<storage, read> gamma: array<f32>;
@group(0) @binding(3) var<storage, read> beta: array<f32>;
@group(0) @binding(4) var<storage, read> dy: array<f32>;
@group(0) @binding(5) var<storage, read> mean: array<f32>; // [images, groups]
@group(0) @binding(6) var<storage, read> variance: array<f32>;
@group(0) @binding(7) var<storage, read> chunk_means: array<f32>; // [images, chunks, channels]
@group(0) @binding(8) var<storage, read> chunk_squares: array<f32>;
@group(0) @binding(9) var<storage, read> sums: array<f32>; // [images, channels]: Σ dz
@group(0) @binding(10) var<storage, read> products: array<f32>; // Σ dz·x̂
@group(0) @binding(11) var<storage, read> terms: array<f32>; // [images, groups, 2]
@group(0) @binding(12) var<storage, read_write> output: array<Output>;
@group(0) @binding(13) var<storage, read_write> mean_out: array<f32>;
@group(0) @binding(14) var<storage, read_write> variance_out: array<f32>;
@group(0) @binding(15) var<storage, read_write> first_out: array<f32>;
@group(0) @binding(16) var<storage, read_write> second_out: array<f32>;
@group(0) @binding(17) var<storage, read_write> terms_out: array<f32>;
@group(0) @binding(18) var<storage, read> input4: array<vec4<Input>>;
@group(0) @binding(19) var<storage, read> dy4: array<vec4f>;
@group(0) @binding(20) var<storage, read_write> output4: array<vec4<Output>>;
@group(0) @binding(21) var<storage, read_write> first4_out: array<vec4f>;
@group(0) @binding(22) var<storage, read_write> second4_out: array<vec4f>;

struct Span { image: u32, channel: u32, first: u32, count: u32 }

// The part of a channel that thread `i` works on: pixels split into `parts` of `length`.
fn span(i: u32, length: u32, parts: u32) -> Span {
  return span_of(i, length, parts, params.channels);
}

// The same where a pixel is `lanes` channels, or vectors of channels.
fn span_of(i: u32, length: u32, parts: u32, lanes: u32) -> Span {
  let channel = i % lanes;
  let part = (i / lanes) % parts;
  let image = i / (lanes * parts);
  let pixel = part * length;
  let first = (image * params.pixels + pixel) * lanes + channel;
  return Span(image, channel, first, min(length, params.pixels - pixel));
}

fn group_of(image: u32, channel: u32) -> u32 {
  return image * params.groups + channel / (params.channels / params.groups);
}

fn groups_of(image: u32, channels: vec4u) -> vec4u {
  return image * params.groups + channels / (params.channels / params.groups);
}

@compute @workgroup_size(64)
fn moments(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i >= params.images * params.chunks * params.channels) {
    return;
  }
  let s = span(i, params.chunk, params.chunks);
  let step = params.channels;
  let shift = f32(input[s.first]);
  var total = 0.0;
  var squares = 0.0;
  var at = s.first;
  for (var n = s.count / 4u; n > 0u; n--) {
    let a = f32(input[at]) - shift;
    let b = f32(input[at + step]) - shift;
    let c = f32(input[at + 2u * step]) - shift;
    let d = f32(input[at + 3u * step]) - shift;
    total += (a + b) + (c + d);
    squares += (a * a + b * b) + (c * c + d * d);
    at += 4u * step;
  }
  for (var n = s.count % 4u; n > 0u; n--) {
    let a = f32(input[at]) - shift;
    total += a;
    squares += a * a;
    at += step;
  }
  let average = total / f32(s.count);
  first_out[i] = shift + average;
  second_out[i] = max(squares - total * average, 0.0);
}

// The same for four channels at once.
@compute @workgroup_size(64)
fn moments4(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  let step = params.channels / 4u;
  if (i >= params.images * params.chunks * step) {
    return;
  }
  let s = span_of(i, params.chunk, params.chunks, step);
  let shift = vec4f(input4[s.first]);
  var total = vec4f();
  var squares = vec4f();
  var at = s.first;
  for (var n = s.count / 4u; n > 0u; n--) {
    let a = vec4f(input4[at]) - shift;
    let b = vec4f(input4[at + step]) - shift;
    let c = vec4f(input4[at + 2u * step]) - shift;
    let d = vec4f(input4[at + 3u * step]) - shift;
    total += (a + b) + (c + d);
    squares += (a * a + b * b) + (c * c + d * d);
    at += 4u * step;
  }
  for (var n = s.count % 4u; n > 0u; n--) {
    let a = vec4f(input4[at]) - shift;
    total += a;
    squares += a * a;
    at += step;
  }
  let average = total / f32(s.count);
  first4_out[i] = shift + average;
  second4_out[i] = max(squares - total * average, vec4f());
}

var<workgroup> part: array<f32, GROUP>;

// The sum over the workgroup, in the order of a binary tree.
fn total_of(value: f32, lane: u32) -> f32 {
  part[lane] = value;
  workgroupBarrier();
  for (var half = GROUP / 2u; half > 0u; half >>= 1u) {
    if (lane < half) {
      part[lane] += part[lane + half];
    }
    workgroupBarrier();
  }
  let total = part[0];
  workgroupBarrier();
  return total;
}

struct Item { index: u32, count: f32 }

// Chunk and channel number `i` of a group: where its moments are, and of how many values.
fn item(i: u32, group: u32) -> Item {
  let width = params.channels / params.groups;
  let chunk = i / width;
  let image = group / params.groups;
  let channel = (group % params.groups) * width + i % width;
  let index = (image * params.chunks + chunk) * params.channels + channel;
  return Item(index, f32(min(params.chunk, params.pixels - chunk * params.chunk)));
}

@compute @workgroup_size(GROUP)
fn statistics(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let g = min(group.y * groups.x + group.x, params.images * params.groups - 1u);
  let width = params.channels / params.groups;
  let items = width * params.chunks;
  let size = f32(width) * f32(params.pixels);
  let shift = chunk_means[item(0u, g).index];
  var first = 0.0;
  for (var i = lane; i < items; i += GROUP) {
    let it = item(i, g);
    first += it.count * (chunk_means[it.index] - shift);
  }
  let average = shift + total_of(first, lane) / size;
  var second = 0.0;
  for (var i = lane; i < items; i += GROUP) {
    let it = item(i, g);
    let off = chunk_means[it.index] - average;
    second += chunk_squares[it.index] + it.count * off * off;
  }
  let deviation = total_of(second, lane) / size;
  if (lane == 0u) {
    mean_out[g] = average;
    variance_out[g] = deviation;
  }
}

// 1 / (1 + e^-z) without overflow.
fn sigmoid(z: vec4f) -> vec4f {
  let e = exp(-abs(z));
  return select(e, vec4f(1.0), z >= vec4f()) / (1.0 + e);
}

fn activate(z: vec4f) -> vec4f {
  if (SILU) {
    return z * sigmoid(z);
  }
  return z;
}

// The cotangent of the pre-activation z, from that of the output.
fn before_activation(z: vec4f, cotangent: vec4f) -> vec4f {
  if (SILU) {
    let s = sigmoid(z);
    return cotangent * s * (1.0 + z * (1.0 - s));
  }
  return cotangent;
}

// What four channels of an image are normalised by.
struct Scales { mean: vec4f, inverse: vec4f, weight: vec4f, bias: vec4f }

fn scales_of(g: vec4u, c: vec4u) -> Scales {
  let spread = vec4f(variance[g.x], variance[g.y], variance[g.z], variance[g.w]);
  return Scales(
    vec4f(mean[g.x], mean[g.y], mean[g.z], mean[g.w]),
    inverseSqrt(spread + params.eps),
    vec4f(gamma[c.x], gamma[c.y], gamma[c.z], gamma[c.w]),
    vec4f(beta[c.x], beta[c.y], beta[c.z], beta[c.w]),
  );
}

fn four_channels(quad: u32) -> vec4u {
  return vec4u(4u * quad, 4u * quad + 1u, 4u * quad + 2u, 4u * quad + 3u);
}

@compute @workgroup_size(64)
fn apply4(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  let lanes = params.channels / 4u;
  if (i >= params.images * params.strips * lanes) {
    return;
  }
  let s = span_of(i, params.strip, params.strips, lanes);
  let c = four_channels(s.channel);
  let by = scales_of(groups_of(s.image, c), c);
  var at = s.first;
  for (var n = s.count; n > 0u; n--) {
    output4[at] = vec4<Output>(activate((vec4f(input4[at]) - by.mean) * by.inverse * by.weight + by.bias));
    at += lanes;
  }
}

@compute @workgroup_size(64)
fn input_grad4(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  let lanes = params.channels / 4u;
  if (i >= params.images * params.strips * lanes) {
    return;
  }
  let s = span_of(i, params.strip, params.strips, lanes);
  let c = four_channels(s.channel);
  let g = groups_of(s.image, c);
  let by = scales_of(g, c);
  let constant = vec4f(terms[2u * g.x], terms[2u * g.y], terms[2u * g.z], terms[2u * g.w]);
  let h = 2u * g + 1u;
  let slope = vec4f(terms[h.x], terms[h.y], terms[h.z], terms[h.w]);
  var at = s.first;
  for (var n = s.count; n > 0u; n--) {
    let normal = (vec4f(input4[at]) - by.mean) * by.inverse;
    let dz = before_activation(normal * by.weight + by.bias, dy4[at]);
    output4[at] = vec4<Output>(by.inverse * (by.weight * dz - constant - normal * slope));
    at += lanes;
  }
}

@compute @workgroup_size(64)
fn apply(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i >= params.images * params.strips * params.channels) {
    return;
  }
  let s = span(i, params.strip, params.strips);
  let g = group_of(s.image, s.channel);
  let average = mean[g];
  let inverse = inverseSqrt(variance[g] + params.eps);
  let weight = gamma[s.channel];
  let bias = beta[s.channel];
  var at = s.first;
  for (var n = s.count; n > 0u; n--) {
    output[at] = Output(activate(vec4f((f32(input[at]) - average) * inverse * weight + bias)).x);
    at += params.channels;
  }
}

// Σ dz and Σ dz·x̂ of each channel of each chunk.
@compute @workgroup_size(64)
fn grad_sums(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i >= params.images * params.chunks * params.channels) {
    return;
  }
  let s = span(i, params.chunk, params.chunks);
  let g = group_of(s.image, s.channel);
  let average = mean[g];
  let inverse = inverseSqrt(variance[g] + params.eps);
  let weight = gamma[s.channel];
  let bias = beta[s.channel];
  var sum = 0.0;
  var product = 0.0;
  var at = s.first;
  for (var n = s.count; n > 0u; n--) {
    let normal = (f32(input[at]) - average) * inverse;
    let dz = before_activation(vec4f(normal * weight + bias), vec4f(dy[at])).x;
    sum += dz;
    product += dz * normal;
    at += params.channels;
  }
  first_out[i] = sum;
  second_out[i] = product;
}

// The same for four channels at once.
@compute @workgroup_size(64)
fn grad_sums4(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  let step = params.channels / 4u;
  if (i >= params.images * params.chunks * step) {
    return;
  }
  let s = span_of(i, params.chunk, params.chunks, step);
  let c = four_channels(s.channel);
  let by = scales_of(groups_of(s.image, c), c);
  var sum = vec4f();
  var product = vec4f();
  var at = s.first;
  for (var n = s.count; n > 0u; n--) {
    let normal = (vec4f(input4[at]) - by.mean) * by.inverse;
    let dz = before_activation(normal * by.weight + by.bias, dy4[at]);
    sum += dz;
    product += dz * normal;
    at += step;
  }
  first4_out[i] = sum;
  second4_out[i] = product;
}

// What a group's statistics take away from its input gradient: the means of gamma·dz and gamma·dz·x̂.
@compute @workgroup_size(64)
fn grad_terms(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let g = (group.y * groups.x + group.x) * 64u + lane;
  if (g >= params.images * params.groups) {
    return;
  }
  let width = params.channels / params.groups;
  let first = (g % params.groups) * width;
  let image = g / params.groups;
  var sum = 0.0;
  var product = 0.0;
  for (var c = first; c < first + width; c++) {
    sum += gamma[c] * sums[image * params.channels + c];
    product += gamma[c] * products[image * params.channels + c];
  }
  let size = f32(width) * f32(params.pixels);
  terms_out[2u * g] = sum / size;
  terms_out[2u * g + 1u] = product / size;
}

@compute @workgroup_size(64)
fn input_grad(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i >= params.images * params.strips * params.channels) {
    return;
  }
  let s = span(i, params.strip, params.strips);
  let g = group_of(s.image, s.channel);
  let average = mean[g];
  let inverse = inverseSqrt(variance[g] + params.eps);
  let weight = gamma[s.channel];
  let bias = beta[s.channel];
  let constant = terms[2u * g];
  let slope = terms[2u * g + 1u];
  var at = s.first;
  for (var n = s.count; n > 0u; n--) {
    let normal = (f32(input[at]) - average) * inverse;
    let dz = before_activation(vec4f(normal * weight + bias), vec4f(dy[at])).x;
    output[at] = Output(inverse * (weight * dz - constant - normal * slope));
    at += params.channels;
  }
}
