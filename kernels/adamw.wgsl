// One step of AdamW, in place, in the order of PyTorch's arithmetic.

struct Params {
  size: u32,
  decay: f32,
  beta1: f32,
  beta2: f32,
  rest1: f32,
  rest2: f32,
  step_size: f32,
  root_correction2: f32,
  eps: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> gradient: array<f32>;
@group(0) @binding(2) var<storage, read> coefficient: array<f32>;
@group(0) @binding(3) var<storage, read_write> parameter: array<f32>;
@group(0) @binding(4) var<storage, read_write> first: array<f32>;
@group(0) @binding(5) var<storage, read_write> second: array<f32>;

@compute @workgroup_size(64)
fn step(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i < params.size) {
    let g = gradient[i] * coefficient[0];
    let m = params.beta1 * first[i] + params.rest1 * g;
    let v = params.beta2 * second[i] + params.rest2 * g * g;
    first[i] = m;
    second[i] = v;
    let denominator = sqrt(v) / params.root_correction2 + params.eps;
    parameter[i] = parameter[i] * params.decay - params.step_size * (m / denominator);
  }
}
