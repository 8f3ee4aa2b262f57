// A window of images [images, height, width, channels] whose place is read from the GPU, or other images
// in its stead; and the gradients of both.

struct Params {
  size: u32, // threads
  height: u32,
  width: u32,
  channels: u32,
  out_height: u32,
  out_width: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> draw: array<u32>; // whether it is the window; its top, its left
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read> other: array<f32>;
@group(0) @binding(4) var<storage, read> dy: array<f32>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;

// The window's rows and columns that are not there are the image's last ones.
fn corner() -> vec2u {
  return min(
    vec2u(draw[1], draw[2]),
    vec2u(params.height - params.out_height, params.width - params.out_width),
  );
}

@compute @workgroup_size(64)
fn forward(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let i = (group.y * groups.x + group.x) * 64u + thread;
  if (i >= params.size) {
    return;
  }
  if (draw[0] == 0u) {
    y[i] = other[i];
    return;
  }
  let pixel = i / params.channels;
  let line = pixel / params.out_width;
  let place = corner() + vec2u(line % params.out_height, pixel % params.out_width);
  let image = line / params.out_height;
  let source = (image * params.height + place.x) * params.width + place.y;
  y[i] = x[source * params.channels + i % params.channels];
}

@compute @workgroup_size(64)
fn window_grad(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let i = (group.y * groups.x + group.x) * 64u + thread;
  if (i >= params.size) {
    return;
  }
  let pixel = i / params.channels;
  let line = pixel / params.width;
  let place = vec2u(line % params.height, pixel % params.width);
  let first = corner();
  let inside = all(place >= first) && all(place < first + vec2u(params.out_height, params.out_width));
  var gradient = 0.0;
  if (draw[0] != 0u && inside) {
    let at = place - first;
    let image = line / params.height;
    let target_pixel = (image * params.out_height + at.x) * params.out_width + at.y;
    gradient = dy[target_pixel * params.channels + i % params.channels];
  }
  y[i] = gradient;
}

@compute @workgroup_size(64)
fn other_grad(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let i = (group.y * groups.x + group.x) * 64u + thread;
  if (i >= params.size) {
    return;
  }
  var gradient = dy[i];
  if (draw[0] != 0u) {
    gradient = 0.0;
  }
  y[i] = gradient;
}
