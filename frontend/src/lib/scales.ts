// What charts need to know about numbers.

import { percent } from "./format";

/** The smallest and largest of the values, widened by a fraction of their distance on both sides. */
export function paddedDomain(values: Iterable<number>, padding: number, limits: [number, number]): [number, number] {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  if (low > high) return limits;
  // A single value still needs room around it.
  const margin = padding * (high - low) || padding * Math.abs(high) || padding;
  return [Math.max(limits[0], low - margin), Math.min(limits[1], high + margin)];
}

const PREFIXES = [
  { factor: 1e12, unit: "T" },
  { factor: 1e9, unit: "G" },
  { factor: 1e6, unit: "M" },
  { factor: 1e3, unit: "k" },
  { factor: 1, unit: "" },
];

/** Labels for the ticks of an axis: one prefix for all of them, and as many digits as tell them apart. */
export function tickLabels(ticks: readonly number[]): string[] {
  const largest = Math.max(...ticks.map(Math.abs), 0);
  const { factor, unit } = PREFIXES.find((prefix) => largest >= prefix.factor) ?? { factor: 1, unit: "" };
  const [first, second] = ticks;
  const step = first === undefined || second === undefined ? factor : Math.abs(second - first);
  // Ticks are 1, 2 or 5 times a power of ten apart; the small addend keeps 0.1 from becoming 0.0999.
  const digits = Math.max(0, -Math.floor(Math.log10(step / factor) + 1e-9));
  return ticks.map((tick) => [(tick / factor).toFixed(digits).replace("-", "−"), unit].filter(Boolean).join(" "));
}

/** Labels for the ticks of an axis of shares, with as many decimals as tell them apart. */
export function percentLabels(ticks: readonly number[]): string[] {
  const [first, second] = ticks;
  const step = first === undefined || second === undefined ? 1 : Math.abs(second - first);
  // The small addend keeps 0.01, which is a little less in binary, from getting a decimal.
  const digits = Math.max(0, -Math.floor(Math.log10(100 * step) + 1e-9));
  return ticks.map((tick) => percent(tick, digits));
}

/** The smallest of 1, 2, 5, 10, 20, … that is at least as large. */
export function roundStep(least: number): number {
  if (least <= 1) return 1;
  const power = 10 ** Math.floor(Math.log10(least) + 1e-9);
  return ([1, 2, 5].find((factor) => factor * power >= least - 1e-9) ?? 10) * power;
}

interface Spot {
  x: number;
  y: number;
}

/** The index of the spot that is nearest to a point and within reach of it, in the same units; -1 where none is. */
export function nearest(spots: readonly Spot[], point: Spot, reach: number): number {
  let [found, shortest] = [-1, reach];
  for (const [index, spot] of spots.entries()) {
    const distance = Math.hypot(spot.x - point.x, spot.y - point.y);
    if (distance <= shortest) [found, shortest] = [index, distance];
  }
  return found;
}

/** Where a key leads from a place in a row of `count`; undefined for a key that leads nowhere. */
export function stepBy(key: string, here: number, count: number): number | undefined {
  const targets = new Map([
    ["ArrowRight", here + 1],
    ["ArrowUp", here + 1],
    ["ArrowLeft", here - 1],
    ["ArrowDown", here - 1],
    ["Home", 0],
    ["End", count - 1],
  ]);
  const target = targets.get(key);
  if (target === undefined || count === 0) return undefined;
  return Math.min(count - 1, Math.max(0, target));
}
