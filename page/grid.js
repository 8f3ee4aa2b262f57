// Where the tokens of a scale lie on a picture. Places are shares of the picture, from 0 to 1.

/**
 * The row and column of a place; those of the nearest cell where it lies beyond.
 *
 * @param {{ x: number, y: number }} place
 * @param {[rows: number, columns: number]} grid
 * @param {[width: number, height: number]} covered What the grid covers: more than the picture where
 * that was filled up.
 */
export function cellAt({ x, y }, [rows, columns], [width, height]) {
  const inside = (n, count) => Math.min(Math.max(Math.floor(n), 0), count - 1);
  return {
    row: inside(y / height * rows, rows),
    column: inside(x / width * columns, columns),
  };
}

/**
 * The part of the picture that a cell covers.
 *
 * @param {{ row: number, column: number }} cell
 * @param {[rows: number, columns: number]} grid
 * @param {[width: number, height: number]} covered
 */
export function boxOf({ row, column }, [rows, columns], [width, height]) {
  const [w, h] = [width / columns, height / rows];
  return { x: column * w, y: row * h, width: w, height: h };
}

/**
 * The cell that a key leads to; undefined for a key that leads nowhere.
 *
 * @param {{ row: number, column: number }} cell
 * @param {string} key
 * @param {[rows: number, columns: number]} grid
 */
export function movedBy({ row, column }, key, [rows, columns]) {
  const steps = {
    ArrowUp: [-1, 0],
    ArrowDown: [1, 0],
    ArrowLeft: [0, -1],
    ArrowRight: [0, 1],
    Home: [0, -column],
    End: [0, columns - 1 - column],
  };
  const step = steps[key];
  if (step === undefined) return undefined;
  return {
    row: Math.min(Math.max(row + step[0], 0), rows - 1),
    column: Math.min(Math.max(column + step[1], 0), columns - 1),
  };
}

/**
 * The neighbours of a code out of the page's list of codes and distances in turn.
 *
 * @param {readonly number[]} list
 */
export function pairsOf(list) {
  const pairs = [];
  for (let i = 0; i < list.length; i += 2) pairs.push({ code: list[i], distance: list[i + 1] });
  return pairs;
}
