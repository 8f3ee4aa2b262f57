// One step of AdamW over a page of parameters, in place, in the order of PyTorch's arithmetic, with or
// without the moving average of what it arrives at. What changes from step to step is not among the
// parameters of the dispatch but in `scalars`, so that a recorded step can be run again. A negative
// coefficient, as kernels/guard.wgsl gives it, leaves everything as it is.

struct Params {
  quads: u32,
  beta1: f32,
  beta2: f32,
  rest1: f32,
  rest2: f32,
  eps: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> gradient: array<vec4f>;
@group(0) @binding(2) var<storage, read> coefficient: array<f32>;
@group(0) @binding(3) var<storage, read> scalars: array<f32>;
@group(0) @binding(4) var<storage, read_write> parameter: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> first: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> second: array<vec4f>;
@group(0) @binding(7) var<storage, read_write> average: array<vec4f>;

const DECAY = 0u;
const STEP_SIZE = 1u;
const ROOT_CORRECTION2 = 2u;
const RATIO = 3u;
const REST = 4u;

fn moved(i: u32) -> vec4f {
  let g = gradient[i] * coefficient[0];
  let m = params.beta1 * first[i] + params.rest1 * g;
  let v = params.beta2 * second[i] + params.rest2 * g * g;
  first[i] = m;
  second[i] = v;
  let denominator = sqrt(v) / scalars[ROOT_CORRECTION2] + params.eps;
  return parameter[i] * scalars[DECAY] - scalars[STEP_SIZE] * (m / denominator);
}

@compute @workgroup_size(64)
fn step(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i < params.quads && !(coefficient[0] < 0.0)) {
    parameter[i] = moved(i);
  }
}

@compute @workgroup_size(64)
fn step_average(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i < params.quads && !(coefficient[0] < 0.0)) {
    let value = moved(i);
    parameter[i] = value;
    if (scalars[RATIO] == 0.0) {
      average[i] = value;
    } else {
      average[i] = scalars[RATIO] * average[i] + scalars[REST] * value;
    }
  }
}
