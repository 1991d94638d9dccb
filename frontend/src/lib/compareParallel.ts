// Lines of parallel coordinates. Many candidates share a segment between two axes, which is drawn once and stronger.

/** A segment between two neighbouring axes, with the heights of its ends from 0 to 1. */
export interface Segment {
  from: number;
  to: number;
  /** How many lines take it. */
  lines: number;
}

/** Heights that are told apart while every line counts, and where there are so many that only their density does. */
const FINE = 512;
const COARSE = 32;
const MANY = 500;
/** The last axis is that of the accuracy, by which candidates are told apart: it has so many times the coarse heights. */
const FINER = 4;

/**
 * The segments between an axis and the next one.
 *
 * @param heights of each line on each axis, line by line
 */
export function segments(heights: Float32Array, axes: number, axis: number): Segment[] {
  const lines = axes > 0 ? heights.length / axes : 0;
  const levels = (axis: number): number => (lines <= MANY ? FINE : axis === axes - 1 ? FINER * COARSE : COARSE);
  const [first, second] = [levels(axis), levels(axis + 1)];
  const counts = new Uint32Array(first * second);
  const taken: number[] = [];
  for (let line = 0; line < lines; line += 1) {
    const from = Math.round((heights[line * axes + axis] ?? 0) * (first - 1));
    const to = Math.round((heights[line * axes + axis + 1] ?? 0) * (second - 1));
    const key = from * second + to;
    if (counts[key] === 0) taken.push(key);
    counts[key] = (counts[key] ?? 0) + 1;
  }
  return taken.map((key) => ({
    from: Math.floor(key / second) / (first - 1),
    to: (key % second) / (second - 1),
    lines: counts[key] ?? 0,
  }));
}

/** Strengths in which segments are drawn. */
export const STRENGTHS = 6;

/** How strong a segment of so many lines is drawn, from 0: each step is about thrice as many. */
export const strength = (lines: number): number => Math.min(STRENGTHS - 1, Math.floor(Math.log2(lines) / 1.6));

/**
 * The line that passes nearest to a point, of those within reach; -1 where none does.
 *
 * @param at where between the first axis, 0, and the last, `axes` - 1
 * @param height and reach as heights are
 */
export function nearestLine(heights: Float32Array, axes: number, at: number, height: number, reach: number): number {
  const left = Math.min(Math.max(0, Math.floor(at)), Math.max(0, axes - 2));
  const between = Math.min(1, Math.max(0, at - left));
  let [found, shortest] = [-1, reach];
  for (let line = 0; line * axes < heights.length; line += 1) {
    const first = heights[line * axes + left] ?? 0;
    const second = heights[line * axes + Math.min(axes - 1, left + 1)] ?? first;
    const distance = Math.abs(first + between * (second - first) - height);
    if (distance < shortest) [found, shortest] = [line, distance];
  }
  return found;
}
