// Generated from the .wgsl files in this folder by `deno task kernels`. Do not edit.

/** The WGSL source of every kernel family, by file name. */
export const sources: Readonly<Record<KernelName, string>> = {
  accumulate: `// Gradient accumulation: y += x, in place.

struct Params { size: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn add(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i < params.size) {
    y[i] += x[i];
  }
}
`,
  fill: `// Sets every element to one value.

struct Params { size: u32, value: f32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn fill(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i < params.size) {
    y[i] = params.value;
  }
}
`,
};

/** A kernel family: the name of a .wgsl file in kernels/. */
export type KernelName =
  | "accumulate"
  | "fill";
