// Separable resampling of [images, height, width, channels] by nearest neighbour, area, bicubic or
// bilinear weights, and the transposes of these maps, which are their gradients.
//
// Along an axis the map takes `inputs` positions to `outputs`. Positions are ratios of whole numbers and are
// computed as such, so that no rounding moves a window. The host keeps lengths below 2^15.

struct Params {
  size: u32, // threads
  lanes: u32, // channels, or vectors of four of them
  from_height: u32,
  from_width: u32,
  to_height: u32,
  to_width: u32,
}

override MODE: u32 = 0u;
override TRANSPOSED: bool = false;
override SUBTRACTED: bool = false; // the result is subtracted from the minuend

const NEAREST = 0u;
const AREA = 1u;
const BILINEAR = 3u;

alias Element = f32; // as both are stored

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<Element>;
@group(0) @binding(2) var<storage, read> input4: array<vec4<Element>>;
@group(0) @binding(3) var<storage, read_write> output: array<Element>;
@group(0) @binding(4) var<storage, read_write> output4: array<vec4<Element>>;
@group(0) @binding(5) var<storage, read> minuend: array<Element>;
@group(0) @binding(6) var<storage, read> minuend4: array<vec4<Element>>;

struct Axis { inputs: u32, outputs: u32 }

// What position `o` of the result reads: `first` up to, not including, `end`; `centre` is
// ⌊(o + ½)·inputs/outputs − ½⌋ and `fraction` the rest, for bicubic and bilinear weights.
struct Window { first: u32, end: u32, centre: i32, fraction: f32 }

fn window(o: u32, axis: Axis) -> Window {
  if (MODE == NEAREST) {
    let first = o * axis.inputs / axis.outputs;
    return Window(first, first + 1u, 0, 0.0);
  }
  if (MODE == AREA) {
    return Window(o * axis.inputs / axis.outputs, ((o + 1u) * axis.inputs - 1u) / axis.outputs + 1u, 0, 0.0);
  }
  let doubled = 2u * axis.outputs;
  let place = (2u * o + 1u) * axis.inputs + axis.outputs; // (centre + 1) · 2·outputs, which is positive
  let whole = place / doubled;
  let fraction = f32(place - whole * doubled) / f32(doubled);
  let reach = select(2, 1, MODE == BILINEAR);
  let first = u32(max(i32(whole) - reach, 0));
  return Window(first, min(whole + u32(reach), axis.inputs), i32(whole) - 1, fraction);
}

// Keys' cubic convolution (1981) with a = −0.75.
fn cubic(distance: f32) -> f32 {
  let t = abs(distance);
  if (t <= 1.0) {
    return (1.25 * t - 2.25) * t * t + 1.0;
  }
  if (t < 2.0) {
    return ((-0.75 * t + 3.75) * t - 6.0) * t + 3.0;
  }
  return 0.0;
}

// The weight at a distance from the centre.
fn lobe(distance: f32) -> f32 {
  if (MODE == BILINEAR) {
    return max(1.0 - abs(distance), 0.0);
  }
  return cubic(distance);
}

// How much of position `i` goes into the one that has window `w`. Beyond its ends the bicubic and the
// bilinear map read the end itself.
fn weight(w: Window, i: u32, axis: Axis) -> f32 {
  if (i < w.first || i >= w.end) {
    return 0.0;
  }
  if (MODE == NEAREST) {
    return 1.0;
  }
  if (MODE == AREA) {
    return 1.0 / f32(w.end - w.first);
  }
  let distance = f32(w.centre - i32(i)) + w.fraction;
  var total = lobe(distance);
  if (i == 0u) {
    total += lobe(distance + 1.0) + lobe(distance + 2.0);
  }
  if (i == axis.inputs - 1u) {
    total += lobe(distance - 1.0) + lobe(distance - 2.0);
  }
  return total;
}

struct Range { first: u32, end: u32 }

// Positions of the result that may read `i`; those that do not have weight 0.
fn readers(i: u32, axis: Axis) -> Range {
  if (MODE <= AREA) {
    return Range(i * axis.outputs / axis.inputs, ((i + 1u) * axis.outputs - 1u) / axis.inputs + 1u);
  }
  let outputs = i32(axis.outputs);
  let inputs = i32(axis.inputs);
  let first = max(outputs * (2 * i32(i) - 3) - inputs, 0) / (2 * inputs);
  let last = outputs * (2 * i32(i) + 5) - inputs;
  return Range(u32(first), select(0u, min(u32(last) / (2u * axis.inputs) + 1u, axis.outputs), last >= 0));
}

// The positions that thread position `o` gathers over, whichever way the map goes.
fn range(o: u32, axis: Axis, w: Window) -> Range {
  if (TRANSPOSED) {
    return readers(o, axis);
  }
  return Range(w.first, w.end);
}

// The weight of position `i` in the gather of `o`.
fn tap(o: u32, i: u32, axis: Axis, w: Window) -> f32 {
  if (TRANSPOSED) {
    return weight(window(i, axis), o, axis);
  }
  return weight(w, i, axis);
}

struct Place { image: u32, row: u32, column: u32, lane: u32 }

fn place(i: u32) -> Place {
  let height = select(params.to_height, params.from_height, TRANSPOSED);
  let width = select(params.to_width, params.from_width, TRANSPOSED);
  let pixel = i / params.lanes;
  let line = pixel / width;
  return Place(line / height, line % height, pixel % width, i % params.lanes);
}

// The offset of the first pixel of a row of what is read.
fn line_of(image: u32, row: u32) -> u32 {
  let height = select(params.from_height, params.to_height, TRANSPOSED);
  let width = select(params.from_width, params.to_width, TRANSPOSED);
  return (image * height + row) * width;
}

@compute @workgroup_size(64)
fn gather4(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i >= params.size) {
    return;
  }
  let p = place(i);
  let rows = Axis(params.from_height, params.to_height);
  let columns = Axis(params.from_width, params.to_width);
  let row_window = window(p.row, rows);
  let column_window = window(p.column, columns);
  let over_rows = range(p.row, rows, row_window);
  let over_columns = range(p.column, columns, column_window);
  var total = vec4f();
  for (var r = over_rows.first; r < over_rows.end; r++) {
    let line = line_of(p.image, r);
    var sum = vec4f();
    for (var c = over_columns.first; c < over_columns.end; c++) {
      sum += tap(p.column, c, columns, column_window) * vec4f(input4[(line + c) * params.lanes + p.lane]);
    }
    total += tap(p.row, r, rows, row_window) * sum;
  }
  if (SUBTRACTED) {
    total = vec4f(minuend4[i]) - total;
  }
  output4[i] = vec4<Element>(total);
}

@compute @workgroup_size(64)
fn gather1(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i >= params.size) {
    return;
  }
  let p = place(i);
  let rows = Axis(params.from_height, params.to_height);
  let columns = Axis(params.from_width, params.to_width);
  let row_window = window(p.row, rows);
  let column_window = window(p.column, columns);
  let over_rows = range(p.row, rows, row_window);
  let over_columns = range(p.column, columns, column_window);
  var total = 0.0;
  for (var r = over_rows.first; r < over_rows.end; r++) {
    let line = line_of(p.image, r);
    var sum = 0.0;
    for (var c = over_columns.first; c < over_columns.end; c++) {
      sum += tap(p.column, c, columns, column_window) * f32(input[(line + c) * params.lanes + p.lane]);
    }
    total += tap(p.row, r, rows, row_window) * sum;
  }
  if (SUBTRACTED) {
    total = f32(minuend[i]) - total;
  }
  output[i] = Element(total);
}
