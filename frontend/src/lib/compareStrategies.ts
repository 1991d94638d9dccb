// Strategies against each other: how their candidates are spread, the best of each, and what it cost to find it.

import { group, quantileSorted } from "d3-array";

import { bestOf, type Row } from "./compare";

/** The candidates of one strategy for one budget in one search. */
export interface Lane {
  key: string;
  strategy: string;
  /** The search's title where several are beside each other. */
  search: string | undefined;
  isReference: boolean;
  /** Those that can win, in the order of evaluation. */
  rows: Row[];
  spread: Spread;
  best: Row;
  /** The best of those that cost no more than the reference does, or a little. */
  bestAtCost: Row | undefined;
  /** What it took; undefined where only some of the search's candidates are known. */
  spent: Spent | undefined;
}

/** What evaluating came to, probes among it. */
export interface Spent {
  /** Until the best had been evaluated, itself among it. */
  untilBest: { candidates: number; seconds: number };
  all: { candidates: number; seconds: number };
}

/** Of top-1 accuracies. */
export interface Spread {
  low: number;
  quarter: number;
  median: number;
  threeQuarters: number;
  high: number;
}

/** The lanes of one model and one budget. */
export interface Field {
  key: string;
  model: string;
  budget: string;
  lanes: Lane[];
  /** The best of the uniform strategy, against which the others are judged. */
  reference: Row | undefined;
}

/** Of fewer candidates, quarters say nothing that they do not say themselves. */
export const FEWEST_IN_BOX = 5;

/** How much more than the reference is still about as much, as a share of the full network's MACs. */
export const EQUAL_COST = 0.01;

/**
 * The fields in the order in which the rows come.
 *
 * @param rows those that are looked at, of which the best are found
 * @param evaluated all that there are, which have cost something: probes and what is not looked at as well
 * @param whole the ids of searches of which those are all
 */
export function fields(rows: readonly Row[], evaluated: readonly Row[], whole: ReadonlySet<string>): Field[] {
  const byField = group(rows, (row) => `${row.origin.network.id}\n${row.budget}`);
  const ofWhole = group(
    evaluated.filter(({ origin }) => whole.has(origin.id)),
    laneKey,
  );
  return [...byField].map(([key, rows]) => {
    const [first] = rows as [Row];
    const reference = bestOf(rows.filter(({ isReference }) => isReference));
    const limit = reference?.macsShare == null ? undefined : reference.macsShare + EQUAL_COST;
    const hasSearches = new Set(rows.map(({ origin }) => origin.id)).size > 1;
    const lanes = [...group(rows, laneKey)].map(([key, rows]) => lane(key, rows, ofWhole.get(key), limit, hasSearches));
    lanes.sort((a, b) => Number(b.isReference) - Number(a.isReference) || b.spread.high - a.spread.high);
    return { key, model: first.origin.network.name, budget: first.budget, lanes, reference };
  });
}

const laneKey = ({ origin, budgetPlace, strategy }: Row): string => `${origin.id}\n${budgetPlace}\n${strategy}`;

function lane(
  key: string,
  rows: Row[],
  evaluated: readonly Row[] | undefined,
  limit: number | undefined,
  hasSearches: boolean,
): Lane {
  const inOrder = rows.toSorted((a, b) => a.index - b.index);
  const [first] = inOrder as [Row];
  const best = bestOf(inOrder) as Row;
  return {
    key,
    strategy: first.strategy,
    search: hasSearches ? first.origin.title : undefined,
    isReference: first.isReference,
    rows: inOrder,
    spread: spread(inOrder.map(({ top1 }) => top1)),
    best,
    bestAtCost:
      limit === undefined
        ? undefined
        : bestOf(inOrder.filter(({ macsShare }) => macsShare !== null && macsShare <= limit)),
    spent: evaluated && {
      untilBest: cost(evaluated.filter(({ index }) => index <= best.index)),
      all: cost(evaluated),
    },
  };
}

const cost = (rows: readonly Row[]): { candidates: number; seconds: number } => ({
  candidates: rows.length,
  seconds: rows.reduce((sum, { seconds }) => sum + seconds, 0),
});

export function spread(values: readonly number[]): Spread {
  const inOrder = [...values].sort((a, b) => a - b);
  const at = (share: number): number => quantileSorted(inOrder, share) ?? Number.NaN;
  return { low: at(0), quarter: at(0.25), median: at(0.5), threeQuarters: at(0.75), high: at(1) };
}
