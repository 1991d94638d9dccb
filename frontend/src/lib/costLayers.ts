// The marks of a chart with thousands of points, as one outline per series: for a canvas, and for a file.

import { shapePath, type Series } from "./series";

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

export interface Layer {
  key: string;
  /** Outlines of the marks, and the lines of their intervals. */
  marks: string;
  whiskers: string;
  /** Outlines of the marks without adaptive BN. */
  plain: string;
  colour: string;
  /** Whether these compare with others only so far. */
  isPartial: boolean;
}

/** One layer for each series, and one below it for those of its marks that are partial. */
export function layersOf(
  marks: readonly Mark[],
  series: readonly Series[],
  radius: number,
  hasWhiskers: boolean,
): Layer[] {
  return series.flatMap(({ key, shape, colour }) =>
    [true, false].flatMap((isPartial) => {
      const own = marks.filter((mark) => mark.series === key && mark.isPartial === isPartial);
      if (own.length === 0) return [];
      return {
        key: `${key}/${isPartial}`,
        marks: own.map(({ x, y }) => shapePath(shape, x, y, radius)).join(""),
        whiskers: hasWhiskers ? own.map((mark) => whisker(mark, radius)).join("") : "",
        plain: own.map(({ x, plain }) => (plain === undefined ? "" : shapePath("diamond", x, plain, radius))).join(""),
        colour,
        isPartial,
      };
    }),
  );
}

/** A line from bound to bound with a stroke across either end. */
export function whisker({ x, low, high }: Pick<Mark, "x" | "low" | "high">, radius: number): string {
  const [left, right] = [x - radius * 0.7, x + radius * 0.7];
  return `M${x} ${low}V${high}M${left} ${low}H${right}M${left} ${high}H${right}`;
}
