// The ticks of an axis: few enough for their labels, and at least two that read differently.

import { ticks as d3Ticks } from "d3-array";

import type { Cost } from "./costPoints";
import { tickLabels } from "./scales";

export interface Tick {
  value: number;
  label: string;
}

/** The most ticks that are tried for two to lie within an axis. */
const MOST_TRIED = 24;

/** About `wanted` round values of an axis with their labels. */
export function axisTicks(
  [low, high]: readonly [number, number],
  wanted: number,
  labels: (values: number[]) => string[],
): Tick[] {
  let found: Tick[] = [];
  for (let count = Math.max(2, wanted); count <= MOST_TRIED; count += 1) {
    const values = d3Ticks(low, high, count);
    const texts = labels(values);
    found = values.map((value, place) => ({ value, label: texts[place] ?? "" }));
    if (new Set(texts).size >= 2) return found;
  }
  return found;
}

/** One unit for all ticks of an axis of times in milliseconds. */
const millisecondLabels = (values: number[]): string[] => tickLabels(values).map((label) => `${label} ms`);

const byteLabels = (values: number[]): string[] =>
  tickLabels(values).map((label) => (label.includes(" ") ? `${label}B` : `${label} B`));

/** How the ticks of each cost are written. */
export const COST_LABELS: Record<Cost, (values: number[]) => string[]> = {
  macs: tickLabels,
  parameters: tickLabels,
  bytes: byteLabels,
  latency: millisecondLabels,
};
