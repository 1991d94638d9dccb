// The budgets of a form: each has a winner of its own, and one or more limits that hold together.

import type { Limits, Measure, ModelSummary, Reachable } from "../api/types";
import { MEASURE_NAMES } from "./budgets";
import { fraction, percent } from "./format";

export interface LimitFields {
  measure: Measure;
  /** Percent of what the full network has of the measure; null while its field is empty. */
  percentage: number | null;
}

/** At least one limit, each on another measure. */
export type BudgetFields = LimitFields[];

type Errors = Record<string, string>;

/** The most budgets that a form has; the server takes a few more. */
export const MOST_BUDGETS = 8;

export const MEASURES = Object.keys(MEASURE_NAMES) as Measure[];

export const usualBudgets = (): BudgetFields[] => [[{ measure: "macs", percentage: 50 }]];

/** Whether one of the budgets is about time. */
export const limitLatency = (budgets: readonly BudgetFields[]): boolean =>
  budgets.flat().some(({ measure }) => measure === "latency");

/** The path of a limit: those of the first budget have the server's own names. */
export const limitField = (place: number, measure: Measure): string =>
  place === 0 ? measure : `budgets.${place - 1}.${measure}`;

/** Measures that a limit can be on: its own, and those that its budget has no limit on. */
export const measuresFor = (budget: BudgetFields, own?: Measure): Measure[] =>
  MEASURES.filter((measure) => measure === own || budget.every((limit) => limit.measure !== measure));

/** The budget nearest to the wanted one that a model can reach, in whole percent where there is one. */
export function nearestBudget(wanted: number, { reachable }: Pick<ModelSummary, "reachable">): number {
  const low = Math.ceil(reachable.min * 100);
  const high = Math.floor(reachable.max * 100);
  if (low > high) return reachable.max * 100;
  return Math.min(high, Math.max(low, wanted));
}

/** A further budget on what the first one limits: a step below the smallest, or half of it where it is small already. */
export function nextBudget(budgets: readonly BudgetFields[], model?: Pick<ModelSummary, "reachable">): BudgetFields {
  const measure = budgets[0]?.[0]?.measure ?? "macs";
  const same = budgets.flat().filter((limit) => limit.measure === measure);
  const smallest = Math.min(100, ...same.flatMap(({ percentage }) => percentage ?? []));
  const next = smallest > 20 ? Math.round(smallest - 15) : Math.max(1, Math.round(smallest / 2));
  return [{ measure, percentage: model && measure === "macs" ? nearestBudget(next, model) : next }];
}

/** Moves every limit on MACs to where a model can be pruned to. */
export const fitted = (budgets: readonly BudgetFields[], model: Pick<ModelSummary, "reachable">): BudgetFields[] =>
  budgets.map((limits) =>
    limits.map((limit) =>
      limit.measure === "macs" ? { ...limit, percentage: nearestBudget(limit.percentage ?? 50, model) } : limit,
    ),
  );

/** A budget as a request has it. */
export const toLimits = (budget: BudgetFields): Limits =>
  Object.fromEntries(budget.map(({ measure, percentage }) => [measure, fraction(percentage)]));

/** Limits without a number. */
export const missingLimits = (budgets: readonly BudgetFields[]): Errors =>
  each(budgets, ({ percentage }) => (percentage === null ? "Enter a number." : undefined));

/** Limits that are no part of the full network. */
export const impossibleLimits = (budgets: readonly BudgetFields[]): Errors =>
  each(budgets, ({ percentage }) =>
    percentage === null || (percentage > 0 && percentage <= 100) ? undefined : "Above 0 and at most 100.",
  );

/** Limits that a model cannot be pruned to. `range` is that of the MACs. */
export const limitHints = (budgets: readonly BudgetFields[], range?: Reachable): Errors =>
  each(budgets, (limit) => (range && !isWithin(limit, range) ? outOfReach(range) : undefined));

/** Whether a limit can be reached, as far as is known; `range` is that of the MACs. */
export function isWithin({ measure, percentage }: LimitFields, range: Reachable): boolean {
  const part = fraction(percentage);
  return measure !== "macs" || percentage === null || (part >= range.min && part <= range.max);
}

/** The end of a range that is nearest to what was wanted, in percent, rounded to what lies within. */
export const nearestEnd = (percentage: number, { min, max }: Reachable): number =>
  fraction(percentage) < min ? Math.ceil(min * 1000) / 10 : Math.floor(max * 1000) / 10;

export const outOfReach = ({ min, max }: Reachable): string =>
  `This model can be pruned to between ${percent(min)} and ${percent(max)} of its MACs; ` +
  "a lower minimum share per group, under Advanced, widens this range.";

function each(budgets: readonly BudgetFields[], fault: (limit: LimitFields) => string | undefined): Errors {
  const faults = budgets.flatMap((limits, place) =>
    limits.flatMap((limit) => {
      const detail = fault(limit);
      return detail === undefined ? [] : [[limitField(place, limit.measure), detail] as const];
    }),
  );
  return Object.fromEntries(faults);
}
