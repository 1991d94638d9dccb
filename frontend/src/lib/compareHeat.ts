// The heat map of keep ratios: a grid of candidates by groups, with several candidates a line where there are too many.

import { ratio, type Row } from "./compare";

/** Rows that are added up in a step. */
const ROWS_IN_STEP = 500;

/** The mean keep ratio of each group in each line, line by line; in steps, as there may be many rows. */
export function* heat(rows: readonly Row[], groups: number, lines: number): Generator<void, Float32Array> {
  const sums = new Float32Array(lines * groups);
  const counts = new Uint32Array(lines);
  for (const [place, row] of rows.entries()) {
    if (place > 0 && place % ROWS_IN_STEP === 0) yield;
    const line = lineOf(place, rows.length, lines);
    counts[line] = (counts[line] ?? 0) + 1;
    for (let group = 0; group < groups; group += 1) {
      const cell = line * groups + group;
      sums[cell] = (sums[cell] ?? 0) + ratio(row, group);
    }
  }
  for (let cell = 0; cell < sums.length; cell += 1) {
    sums[cell] = (sums[cell] ?? 0) / (counts[Math.floor(cell / groups)] || 1);
  }
  return sums;
}

/** The line that a row is in. */
export const lineOf = (place: number, rows: number, lines: number): number =>
  Math.min(lines - 1, Math.floor((place * lines) / rows));

/** The cell under a point of the grid, each from 0 up to its end; undefined outside. */
export function cellAt(
  point: { x: number; y: number },
  size: { width: number; height: number },
  grid: { rows: number; groups: number },
): { row: number; group: number } | undefined {
  const row = Math.floor((point.y / size.height) * grid.rows);
  const group = Math.floor((point.x / size.width) * grid.groups);
  return row >= 0 && row < grid.rows && group >= 0 && group < grid.groups ? { row, group } : undefined;
}

/** A name that fits a number of letters; the middle of a dotted name tells the least. */
export function shortened(name: string, letters: number): string {
  if (name.length <= letters) return name;
  if (letters < 2) return "…".slice(0, letters);
  const end = Math.ceil((letters - 1) * 0.65);
  return `${name.slice(0, letters - 1 - end)}…${name.slice(-end)}`;
}
