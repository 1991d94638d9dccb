// Networks as points of cost against accuracy, and how each cost is written.

import type { Baseline, CandidateRow, Interval, LatencyOf, Limits, Measure, Search } from "../api/types";
import { budgetText } from "./budgets";
import { mainLatency, type Ranked } from "./candidates";
import { bytes, milliseconds, si } from "./format";

/** What a network costs, which is what a budget can limit. */
export type Cost = Measure;

export const COSTS: readonly Cost[] = ["macs", "parameters", "bytes", "latency"];

export type Costs = Readonly<Record<Cost, number | null>>;

/** What an axis of each cost is called. */
export const COST_NAMES: Record<Cost, string> = {
  macs: "MACs per image",
  parameters: "Parameters",
  bytes: "Bytes of weights",
  latency: "Latency",
};

const TEXTS: Record<Cost, (value: number) => string> = {
  macs: (value) => `${si(value)} MACs`,
  parameters: (value) => `${si(value)} parameters`,
  bytes,
  latency: milliseconds,
};

/** `7.83 M MACs`, `2.41 ms` */
export const costText = (cost: Cost, value: number): string => TEXTS[cost](value);

/** A network of a chart of cost against accuracy. */
export interface CostPoint {
  id: string;
  /** As in "Candidate 12". */
  name: string;
  /** The series that it belongs to, by its key. */
  series: string;
  /** Null for what is not known of it. */
  costs: Costs;
  top1: number;
  /** With 95% confidence; null for full networks of older versions. */
  interval: Interval | null;
  /** Top-1 without adaptive BN. */
  plain: number | null;
  /** Whether it was scored on fewer images than others, so that its accuracy does not compare with theirs. */
  isPartial: boolean;
}

/** A line at a cost that is not to be exceeded. */
export interface CostBudget {
  name: string;
  costs: Partial<Costs>;
}

/** The series of full networks, which are drawn alike in every chart. */
export const FULL = "full network";

const measured = (candidate: CandidateRow, of: LatencyOf | undefined) => mainLatency(candidate, of);

/** The candidates of a search as points. */
export function candidatePoints(rows: readonly Ranked[], latencyOf?: LatencyOf): CostPoint[] {
  const most = mostImages(rows.map(({ candidate }) => candidate));
  return rows.map(({ candidate }) => ({
    id: candidate.id,
    name: `Candidate ${candidate.index}`,
    series: candidate.origin.strategy,
    costs: {
      macs: candidate.macs,
      parameters: candidate.parameters,
      bytes: candidate.bytes,
      latency: measured(candidate, latencyOf)?.milliseconds ?? null,
    },
    top1: candidate.score.top1,
    interval: candidate.intervals.top1,
    plain: candidate.score_without_adaptation?.top1 ?? null,
    isPartial: candidate.scored_images < (most.get(candidate.origin.budget) ?? 0),
  }));
}

/** The most scoring images that any candidate of each budget was scored on. */
export function mostImages(candidates: readonly CandidateRow[]): Map<number | null, number> {
  const most = new Map<number | null, number>();
  for (const { origin, scored_images } of candidates) {
    if (!origin.is_probe) most.set(origin.budget, Math.max(most.get(origin.budget) ?? 0, scored_images));
  }
  return most;
}

/** The full network as a point. Its latency is the median of what was measured in turn with the candidates. */
export function fullPoint(baseline: Baseline, rows: readonly Ranked[], latencyOf?: LatencyOf): CostPoint {
  const times = rows
    .flatMap(({ candidate }) => measured(candidate, latencyOf)?.full_milliseconds ?? [])
    .sort((a, b) => a - b);
  return {
    id: FULL,
    name: "Full network",
    series: FULL,
    costs: {
      macs: baseline.macs,
      parameters: baseline.parameters,
      bytes: baseline.bytes,
      latency: times[Math.floor(times.length / 2)] ?? null,
    },
    top1: baseline.score.top1,
    interval: baseline.intervals?.top1 ?? null,
    plain: null,
    isPartial: false,
  };
}

/** Budgets as lines, where it is known what they are a fraction of. */
export const budgetLines = ({ budgets }: Pick<Search, "budgets">, full: Partial<Costs>): CostBudget[] =>
  budgets.map((limits: Limits) => ({
    name: budgetText(limits),
    costs: Object.fromEntries(
      COSTS.flatMap((cost) => {
        const [limit, whole] = [limits[cost], full[cost]];
        return limit == null || whole == null ? [] : [[cost, limit * whole]];
      }),
    ),
  }));

/** The costs that at least one of the points has. */
export const knownCosts = (points: readonly CostPoint[]): Cost[] =>
  COSTS.filter((cost) => points.some(({ costs }) => costs[cost] !== null));
