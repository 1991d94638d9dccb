// A range of budgets at equal distances, as a form has it.

import type { BudgetRange, Measure } from "../api/types";
import { fraction } from "./format";

export interface RangeFields {
  measure: Measure;
  /** Percent of what the full network has of the measure; null while a field is empty. */
  from: number | null;
  to: number | null;
  /** Number of budgets, both ends included. */
  steps: number | null;
}

/** The most budgets that a range has. */
export const MOST_STEPS = 32;

export const usualRange = (): RangeFields => ({ measure: "macs", from: 70, to: 30, steps: 5 });

/** A range as a request has it. */
export const toRange = ({ measure, from, to, steps }: RangeFields): BudgetRange => ({
  measure,
  from: fraction(from),
  to: fraction(to),
  steps: steps ?? 0,
});

/** A range of a request, in percent. */
export const rangeFields = ({ measure, from, to, steps }: BudgetRange): RangeFields => ({
  measure,
  from: inPercent(from),
  to: inPercent(to),
  steps,
});

/** A fraction in percent, without the noise of the multiplication. */
export const inPercent = (part: number): number => Number((part * 100).toPrecision(12));

/** The fractions of a range, to four places as the server has them; none while a field is empty or wrong. */
export function rangeFractions(range: RangeFields | null): number[] {
  if (!range || Object.keys(rangeErrors(range)).length > 0) return [];
  const { from, to, steps } = toRange(range);
  return Array.from({ length: steps }, (_, step) => {
    const part = from + ((to - from) * step) / (steps - 1);
    return Math.round(part * 1e4) / 1e4;
  });
}

/** What is wrong with a range, by the paths that the server names. */
export function rangeErrors(range: RangeFields | null): Record<string, string> {
  if (!range) return {};
  const found: Record<string, string> = {};
  for (const end of ["from", "to"] as const) {
    const percentage = range[end];
    if (percentage === null) found[`budget_range.${end}`] = "Enter a number.";
    else if (!(percentage > 0 && percentage <= 100)) found[`budget_range.${end}`] = "Above 0 and at most 100.";
  }
  const { steps } = range;
  if (steps === null) found["budget_range.steps"] = "Enter a number.";
  else if (!Number.isInteger(steps)) found["budget_range.steps"] = "Enter a whole number.";
  else if (steps < 2 || steps > MOST_STEPS) found["budget_range.steps"] = `From 2 to ${MOST_STEPS}.`;
  if (Object.keys(found).length === 0 && range.from === range.to) {
    found["budget_range.to"] = "Both ends are the same; use a single budget instead.";
  }
  return found;
}
