// Budgets in words, and what they come to.

import type { Limits, Measure } from "../api/types";
import { percent } from "./format";

/** What a budget can limit, as it reads in a sentence. */
export const MEASURE_NAMES: Record<Measure, string> = {
  macs: "MACs",
  parameters: "parameters",
  bytes: "bytes",
  latency: "latency",
};

const MEASURES = Object.keys(MEASURE_NAMES) as Measure[];

/** `50% of MACs`, `50% of MACs and 30% of parameters`; whole percent where they suffice. */
export const budgetText = (limits: Limits): string =>
  MEASURES.flatMap((measure) => {
    const limit = limits[measure];
    return limit == null ? [] : `${share(limit)} of ${MEASURE_NAMES[measure]}`;
  }).join(" and ");

/** `70%, 50% and 30% of MACs`; others are parted by semicolons, since one of several limits has an "and". */
export function budgetsText(budgets: readonly Limits[]): string {
  const [first] = budgets;
  const measure = first && MEASURES.find((name) => first[name] != null);
  if (!measure || budgets.some((limits) => !isOnly(limits, measure))) return budgets.map(budgetText).join("; ");
  return `${listing(budgets.map((limits) => share(limits[measure] ?? 0)))} of ${MEASURE_NAMES[measure]}`;
}

/** What a candidate was proposed for; null stands for no budget. */
export function originBudget(budgets: readonly Limits[], place: number | null): string {
  const limits = place === null ? undefined : budgets[place];
  return limits ? budgetText(limits) : "no budget";
}

const isOnly = (limits: Limits, only: Measure): boolean =>
  MEASURES.every((measure) => (limits[measure] != null) === (measure === only));

/** In whole percent where nothing is lost by it. */
const share = (fraction: number): string => percent(fraction, Number.isInteger(tenths(fraction) / 10) ? 0 : 1);

const tenths = (fraction: number): number => Math.round(fraction * 1000);

const listing = (texts: readonly string[]): string =>
  texts.length < 2 ? texts.join("") : `${texts.slice(0, -1).join(", ")} and ${texts.at(-1)}`;
