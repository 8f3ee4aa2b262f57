/**
 * A small bitmap font: text in pictures must not depend on the fonts that a machine has. A glyph is 5
 * pixels wide and 9 high, capitals on the first 7 rows; each row is a digit of base 32, its highest
 * bit the leftmost pixel.
 */
const GLYPHS: Readonly<Record<string, string>> = {
  " ": "000000000",
  "-": "0000e0000",
  ".": "00000cc00",
  "0": "ehjlphe00",
  "1": "4c4444e00",
  "2": "eh168gv00",
  "3": "u11e11u00",
  "4": "26aiv2200",
  "5": "vgu11he00",
  "6": "68guhhe00",
  "7": "v12488800",
  "8": "ehhehhe00",
  "9": "ehhf12c00",
  A: "ehhvhhh00",
  B: "uhhuhhu00",
  E: "vgguggv00",
  V: "hhhhha400",
  a: "00e1fhf00",
  b: "gguhhhu00",
  c: "00egghe00",
  d: "11fhhhf00",
  e: "00ehvge00",
  f: "68s888800",
  g: "00fhhhf1e",
  h: "gguhhhh00",
  i: "40c444e00",
  j: "2062222ic",
  k: "ggikoki00",
  l: "c44444e00",
  m: "00qllll00",
  n: "00uhhhh00",
  o: "00ehhhe00",
  p: "00uhhhugg",
  q: "00fhhhf11",
  r: "00mpggg00",
  s: "00fge1u00",
  t: "88s889600",
  u: "00hhhhf00",
  v: "00hhha400",
  w: "00hllla00",
  x: "00ha4ah00",
  y: "00hhhhf1e",
  z: "00v248v00",
};

/** Width of a glyph with the space after it. */
const ADVANCE = 6;

/** Pixels from one line of text to the next, at scale 1. */
export const LINE_HEIGHT = 11;

/** How wide a text is, at scale 1. */
export function textWidth(text: string): number {
  return Math.max(0, text.length * ADVANCE - 1);
}

/**
 * The pixels of a text at scale 1, from its upper left corner.
 *
 * @throws {RangeError} where the font has no glyph for a character.
 */
export function* textPixels(text: string): Generator<{ x: number; y: number }> {
  for (let i = 0; i < text.length; i++) {
    const glyph = GLYPHS[text[i]];
    if (glyph === undefined) throw new RangeError(`the font has no ${JSON.stringify(text[i])}`);
    for (let y = 0; y < glyph.length; y++) {
      const row = parseInt(glyph[y], 32);
      for (let x = 0; x < 5; x++) if (row & (16 >> x)) yield { x: i * ADVANCE + x, y };
    }
  }
}
