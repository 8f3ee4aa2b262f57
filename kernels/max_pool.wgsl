// The largest value of every window of [images, height, width, channels], and the gradient of that map,
// which gives each window's gradient to its first largest value, read row by row.

struct Params {
  size: u32, // threads
  lanes: u32, // channels, or vectors of four of them
  height: u32,
  width: u32,
  out_height: u32,
  out_width: u32,
  kernel: u32,
  stride: u32,
  padding: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> x4: array<vec4f>;
@group(0) @binding(3) var<storage, read> dy: array<f32>;
@group(0) @binding(4) var<storage, read> dy4: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;
@group(0) @binding(6) var<storage, read_write> y4: array<vec4f>;

struct Span { first: u32, end: u32 }

// The inputs under window `o` along an axis of `inputs`; what lies in the padding is no input.
fn under(o: u32, inputs: u32) -> Span {
  let start = o * params.stride; // counted from the first row or column of the padding
  let first = max(start, params.padding) - params.padding;
  let end = min(start + params.kernel, inputs + params.padding) - params.padding;
  return Span(first, end);
}

// The windows over input `i` along an axis of `outputs`.
fn over(i: u32, outputs: u32) -> Span {
  let place = i + params.padding;
  let first = (max(place + params.stride, params.kernel) - params.kernel) / params.stride;
  return Span(first, min(place / params.stride + 1u, outputs));
}

struct Place { image: u32, row: u32, column: u32, lane: u32 }

fn place(i: u32, height: u32, width: u32) -> Place {
  let pixel = i / params.lanes;
  let line = pixel / width;
  return Place(line / height, line % height, pixel % width, i % params.lanes);
}

// Where an input lies in x.
fn input_at(image: u32, row: u32, column: u32, lane: u32) -> u32 {
  return ((image * params.height + row) * params.width + column) * params.lanes + lane;
}

// Where a window's result lies in y.
fn output_at(image: u32, row: u32, column: u32, lane: u32) -> u32 {
  return ((image * params.out_height + row) * params.out_width + column) * params.lanes + lane;
}

struct Largest { value: f32, at: u32 }
struct Largest4 { value: vec4f, at: vec4u }

// The first largest value of a window and its place in x.
fn largest(image: u32, row: u32, column: u32, lane: u32) -> Largest {
  let rows = under(row, params.height);
  let columns = under(column, params.width);
  var at = input_at(image, rows.first, columns.first, lane);
  var best = x[at];
  for (var r = rows.first; r < rows.end; r++) {
    for (var c = columns.first; c < columns.end; c++) {
      let i = input_at(image, r, c, lane);
      let v = x[i];
      if (v > best) {
        best = v;
        at = i;
      }
    }
  }
  return Largest(best, at);
}

fn largest4(image: u32, row: u32, column: u32, lane: u32) -> Largest4 {
  let rows = under(row, params.height);
  let columns = under(column, params.width);
  let start = input_at(image, rows.first, columns.first, lane);
  var at = vec4u(start);
  var best = x4[start];
  for (var r = rows.first; r < rows.end; r++) {
    for (var c = columns.first; c < columns.end; c++) {
      let i = input_at(image, r, c, lane);
      let v = x4[i];
      let larger = v > best;
      best = select(best, v, larger);
      at = select(at, vec4u(i), larger);
    }
  }
  return Largest4(best, at);
}

@compute @workgroup_size(64)
fn forward1(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let i = (group.y * groups.x + group.x) * 64u + thread;
  if (i >= params.size) {
    return;
  }
  let p = place(i, params.out_height, params.out_width);
  y[i] = largest(p.image, p.row, p.column, p.lane).value;
}

@compute @workgroup_size(64)
fn forward4(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let i = (group.y * groups.x + group.x) * 64u + thread;
  if (i >= params.size) {
    return;
  }
  let p = place(i, params.out_height, params.out_width);
  y4[i] = largest4(p.image, p.row, p.column, p.lane).value;
}

@compute @workgroup_size(64)
fn grad1(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let i = (group.y * groups.x + group.x) * 64u + thread;
  if (i >= params.size) {
    return;
  }
  let p = place(i, params.height, params.width);
  let rows = over(p.row, params.out_height);
  let columns = over(p.column, params.out_width);
  var total = 0.0;
  for (var r = rows.first; r < rows.end; r++) {
    for (var c = columns.first; c < columns.end; c++) {
      if (largest(p.image, r, c, p.lane).at == i) {
        total += dy[output_at(p.image, r, c, p.lane)];
      }
    }
  }
  y[i] = total;
}

@compute @workgroup_size(64)
fn grad4(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let i = (group.y * groups.x + group.x) * 64u + thread;
  if (i >= params.size) {
    return;
  }
  let p = place(i, params.height, params.width);
  let rows = over(p.row, params.out_height);
  let columns = over(p.column, params.out_width);
  var total = vec4f();
  for (var r = rows.first; r < rows.end; r++) {
    for (var c = columns.first; c < columns.end; c++) {
      let chosen = largest4(p.image, r, c, p.lane).at == vec4u(i);
      total += select(vec4f(), dy4[output_at(p.image, r, c, p.lane)], chosen);
    }
  }
  y4[i] = total;
}
