// Reading curves over whole numbers: what all of them are at one place, and the part of their axis that is looked at.

import { bisectCenter, bisector } from "d3-array";

import { count } from "./format";
import { stepBy } from "./scales";
import { within, type Range } from "./zoom";

interface Point {
  x: number;
  y: number;
}

export interface Curve {
  name: string;
  /** In the order of x. */
  points: readonly Point[];
}

/** Places that the page keys go on by. */
const PAGE = 10;

/** Every place that a curve has a point at, in order. */
export const placesOf = (curves: readonly Curve[]): number[] =>
  [...new Set(curves.flatMap(({ points }) => points.map(({ x }) => x)))].sort((a, b) => a - b);

/** The place that is nearest to a value of the axis; undefined where there is none. */
export const nearestPlace = (places: readonly number[], value: number): number | undefined =>
  places[bisectCenter(places, value)];

/** The place that a key leads to from another one; undefined for a key that leads nowhere. */
export function placeBy(key: string, places: readonly number[], from: number): number | undefined {
  const here = bisectCenter(places, from);
  const pages = { PageUp: here + PAGE, PageDown: here - PAGE }[key];
  if (pages !== undefined) return places[Math.min(places.length - 1, Math.max(0, pages))];
  const target = stepBy(key, here, places.length);
  return target === undefined ? undefined : places[target];
}

const { left: placeIn } = bisector(({ x }: Point) => x);

/** What the curves are at a place. One that has no point there is left out. */
export const valuesAt = <T extends Curve>(curves: readonly T[], x: number): { curve: T; y: number }[] =>
  curves.flatMap((curve) => {
    const point = curve.points[placeIn(curve.points, x)];
    return point?.x === x ? [{ curve, y: point.y }] : [];
  });

/** What the curves are at a place, in words: `Epoch 12: validation 0.312, training 0.290`. */
export function readingText(
  curves: readonly Curve[],
  x: number,
  unit: string,
  format: (value: number) => string,
): string {
  const values = valuesAt(curves, x).map(({ curve, y }) => `${curve.name} ${format(y)}`);
  return `${unit} ${count(x)}: ${values.join(", ") || "no value"}`;
}

/** The part of the axis from one whole number to another that two values mean; undefined for all of it. */
export function partBetween(a: number, b: number, whole: Range): Range | undefined {
  const from = Math.round(Math.min(a, b));
  return within([from, Math.max(from + 1, Math.round(Math.max(a, b)))], whole);
}

/** A part that is `factor` times as wide around a value that stays where it is; undefined for all. */
export const partAround = ([from, to]: Range, whole: Range, factor: number, value: number): Range | undefined =>
  partBetween(value - (value - from) * factor, value + (to - value) * factor, whole);
