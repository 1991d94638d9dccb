// Looking at a part of an axis.

export type Range = readonly [number, number];

/** The smallest part of the whole that can be looked at. */
const SMALLEST = 1e-3;

const width = ([from, to]: Range): number => to - from;

/** A part of the whole, moved into it and no smaller than can be told apart; undefined for all of it. */
export function within(part: Range, whole: Range): Range | undefined {
  const size = Math.max(width(part), SMALLEST * width(whole));
  if (!(size < width(whole) * (1 - 1e-6))) return undefined;
  const middle = (part[0] + part[1]) / 2;
  const from = Math.min(Math.max(middle - size / 2, whole[0]), whole[1] - size);
  return [from, from + size];
}

/** Makes what is looked at `factor` times as wide around a value that stays where it is; undefined for all. */
export const zoomed = (part: Range, whole: Range, factor: number, around: number): Range | undefined =>
  within([around - (around - part[0]) * factor, around + (part[1] - around) * factor], whole);

/** Moves what is looked at, as far as it takes, so that a value is seen. */
export function showing(part: Range, whole: Range, value: number): Range | undefined {
  if (value >= part[0] && value <= part[1]) return within(part, whole);
  const half = width(part) / 2;
  return within([value - half, value + half], whole);
}

/** From and to of a drag, whichever way it went; undefined for one that is no wider than a click. */
export function dragged(a: number, b: number, least: number): Range | undefined {
  return Math.abs(a - b) < least ? undefined : [Math.min(a, b), Math.max(a, b)];
}
