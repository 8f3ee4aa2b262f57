// Strided copies. Elements are moved as u32, so that floats and integers keep their bits; those of f16
// as what they are.
//
// `take` walks the output and reads from strided places, `place` walks the input and writes to them;
// the entries on quads do the same where quads of four elements stay together. Those on spread quads do
// where rows of the walk are whole quads, but lie apart on the other side: a quad finds its place once.

override RANK: u32 = 6u; // axes of the walk, from the innermost (d0) outwards

// d: the walked axes; s: strides on the other side; base: the offset there of the walk's beginning.
// The entries on quads count all of them in quads.
struct Params {
  size: u32,
  base: u32,
  d0: u32, d1: u32, d2: u32, d3: u32, d4: u32, d5: u32,
  s0: u32, s1: u32, s2: u32, s3: u32, s4: u32, s5: u32,
}

alias Element = u32; // as both sides are stored

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x_words: array<Element>;
@group(0) @binding(2) var<storage, read_write> y_words: array<Element>;
@group(0) @binding(3) var<storage, read> x_quads: array<vec4<Element>>;
@group(0) @binding(4) var<storage, read_write> y_quads: array<vec4<Element>>;

fn offset(i: u32) -> u32 {
  var rest = i;
  var at = params.base;
  if (RANK > 1u) {
    let next = rest / params.d0;
    at += (rest - next * params.d0) * params.s0;
    rest = next;
  } else {
    at += rest * params.s0;
  }
  if (RANK > 2u) {
    let next = rest / params.d1;
    at += (rest - next * params.d1) * params.s1;
    rest = next;
  } else if (RANK == 2u) {
    at += rest * params.s1;
  }
  if (RANK > 3u) {
    let next = rest / params.d2;
    at += (rest - next * params.d2) * params.s2;
    rest = next;
  } else if (RANK == 3u) {
    at += rest * params.s2;
  }
  if (RANK > 4u) {
    let next = rest / params.d3;
    at += (rest - next * params.d3) * params.s3;
    rest = next;
  } else if (RANK == 4u) {
    at += rest * params.s3;
  }
  if (RANK > 5u) {
    let next = rest / params.d4;
    at += (rest - next * params.d4) * params.s4;
    at += next * params.s5;
  } else if (RANK == 5u) {
    at += rest * params.s4;
  }
  return at;
}

// Four outputs a thread: the last quad of any tensor exists, since buffers are multiples of 256 bytes.
@compute @workgroup_size(64)
fn take(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (4u * i < params.size) {
    y_quads[i] = vec4<Element>(
      x_words[offset(4u * i)],
      x_words[offset(4u * i + 1u)],
      x_words[offset(4u * i + 2u)],
      x_words[offset(4u * i + 3u)],
    );
  }
}

@compute @workgroup_size(64)
fn take_spread(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (4u * i < params.size) {
    let at = offset(4u * i);
    let step = params.s0;
    y_quads[i] = vec4<Element>(
      x_words[at],
      x_words[at + step],
      x_words[at + 2u * step],
      x_words[at + 3u * step],
    );
  }
}

@compute @workgroup_size(64)
fn take_quads(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i < params.size) {
    y_quads[i] = x_quads[offset(i)];
  }
}

@compute @workgroup_size(64)
fn place(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i < params.size) {
    y_words[offset(i)] = x_words[i];
  }
}

@compute @workgroup_size(64)
fn place_spread(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (4u * i < params.size) {
    let at = offset(4u * i);
    let step = params.s0;
    let quad = x_quads[i];
    y_words[at] = quad.x;
    y_words[at + step] = quad.y;
    y_words[at + 2u * step] = quad.z;
    y_words[at + 3u * step] = quad.w;
  }
}

@compute @workgroup_size(64)
fn place_quads(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i < params.size) {
    y_quads[offset(i)] = x_quads[i];
  }
}
