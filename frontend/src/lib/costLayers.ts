// The marks of a chart with thousands of points, series by series: for a canvas, and for a file.

import { group } from "d3-array";

import { shapePath, type Series, type Shape } from "./series";

export interface Mark {
  x: number;
  y: number;
  /** Where the bounds of its confidence interval are. */
  low: number;
  high: number;
  /** Where it is without adaptive BN. */
  plain: number | undefined;
  series: string;
  isPartial: boolean;
}

/** Marks that look alike. */
export interface Layer extends Pick<Series, "shape" | "colour"> {
  key: string;
  marks: readonly Mark[];
  /** Whether these compare with others only so far. */
  isPartial: boolean;
}

/** One layer for each series, and one below it for those of its marks that are partial. */
export function layersOf(marks: readonly Mark[], series: readonly Series[]): Layer[] {
  const bySeries = group(
    marks,
    (mark) => mark.series,
    (mark) => mark.isPartial,
  );
  return series.flatMap(({ key, shape, colour }) =>
    [true, false].flatMap((isPartial) => {
      const own = bySeries.get(key)?.get(isPartial);
      return own ? [{ key: `${key}/${isPartial}`, marks: own, shape, colour, isPartial }] : [];
    }),
  );
}

/** The marks of a layer, or some of them, as one outline. */
export const outline = (marks: readonly Mark[], shape: Shape, radius: number): string =>
  marks.map(({ x, y }) => shapePath(shape, x, y, radius)).join("");

/** Their accuracies without adaptive BN as one outline. */
export const plainOutline = (marks: readonly Mark[], radius: number): string =>
  marks.map(({ x, plain }) => (plain === undefined ? "" : shapePath("diamond", x, plain, radius))).join("");

/** Their intervals as one outline. */
export const whiskers = (marks: readonly Mark[], radius: number): string =>
  marks.map((mark) => whisker(mark, radius)).join("");

/** A line from bound to bound with a stroke across either end. */
export function whisker({ x, low, high }: Pick<Mark, "x" | "low" | "high">, radius: number): string {
  const [left, right] = [x - radius * 0.7, x + radius * 0.7];
  return `M${x} ${low}V${high}M${left} ${low}H${right}M${left} ${high}H${right}`;
}
