// Floats of one width as floats of another: y = x, rounded to the nearest where y is narrower.
// Buffers are whole multiples of 256 bytes, so the last quad may reach past the tensor's end.

struct Params { size: u32 }

alias X = f32; // as they are stored
alias Y = f32;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<X>>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4<Y>>;

@compute @workgroup_size(64)
fn convert(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i * 4u < params.size) {
    y[i] = vec4<Y>(vec4f(x[i]));
  }
}
