// What a chart of lines shows, and how its lines are told apart: by shape as well as by colour.

export type LineKind = "first" | "second" | "third";

export interface Line {
  name: string;
  kind: LineKind;
  /** In the order of x. */
  points: { x: number; y: number }[];
}

/** A value that the lines are compared with. */
export interface Level {
  name: string;
  kind: "dashed" | "dotted";
  y: number;
}

/** The mark of each kind of line around the origin, as a path: a disc, a diamond and a square. */
export const MARKS: Record<LineKind, string> = {
  first: "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z",
  second: "M0 -4.5l4.5 4.5l-4.5 4.5l-4.5 -4.5z",
  third: "M-3.5 -3.5h7v7h-7z",
};
