import {
  bytesField,
  doubleField,
  type Fields,
  floatField,
  joined,
  readVarint,
  varintField,
} from "./protobuf.ts";

/** When and at which step something was found. */
export interface EventTime {
  /** Seconds since 1970. */
  readonly wallTime: number;
  /** The step. */
  readonly step: number;
}

/** A picture as TensorBoard shows it. */
export interface EventImage {
  /** Columns. */
  readonly width: number;
  /** Rows. */
  readonly height: number;
  /** The bytes of a PNG file. */
  readonly png: Uint8Array;
}

// tensorflow/core/util/event.proto: Event
const WALL_TIME = 1;
const STEP = 2;
const FILE_VERSION = 3;
const SUMMARY = 5;
// tensorflow/core/framework/summary.proto: Summary, Summary.Value, Summary.Image
const VALUE = 1;
const TAG = 1;
const SIMPLE_VALUE = 2;
const IMAGE = 4;
const HEIGHT = 1;
const WIDTH = 2;
const COLORSPACE = 3;
const ENCODED = 4;
const RGB = 3;

/** The event that a file begins with. */
export function versionEvent(wallTime: number): Uint8Array {
  return joined([doubleField(WALL_TIME, wallTime), bytesField(FILE_VERSION, "brain.Event:2")]);
}

/** An event with numbers by their tags. */
export function scalarsEvent(
  time: EventTime,
  scalars: Readonly<Record<string, number>>,
): Uint8Array {
  const values = Object.entries(scalars).map(([tag, value]) =>
    bytesField(VALUE, [bytesField(TAG, tag), floatField(SIMPLE_VALUE, value)])
  );
  return event(time, values);
}

/** An event with a picture. */
export function imageEvent(
  time: EventTime,
  tag: string,
  { width, height, png }: EventImage,
): Uint8Array {
  const image = [
    varintField(HEIGHT, height),
    varintField(WIDTH, width),
    varintField(COLORSPACE, RGB),
    bytesField(ENCODED, png),
  ];
  return event(time, [bytesField(VALUE, [bytesField(TAG, tag), bytesField(IMAGE, image)])]);
}

/** The step of an event of these; that of a file's first is 0. */
export function stepOf(event: Uint8Array): number {
  const at = doubleField(WALL_TIME, 0).length;
  return event[at] === varintField(STEP, 0)[0] ? readVarint(event, at + 1) : 0;
}

function event({ wallTime, step }: EventTime, values: Fields): Uint8Array {
  const time = [doubleField(WALL_TIME, wallTime), varintField(STEP, step)];
  return joined([...time, bytesField(SUMMARY, values)]);
}
