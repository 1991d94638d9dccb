// Candidates side by side: which is best, and in which order they are shown.

import { RANKING } from "../api/ranking.gen";
import type { Candidate, CandidateRow, EvaluationKind, Latency, LatencyOf } from "../api/types";
import { halfWidth } from "./intervals";
import { sortedBy } from "./sorting";

type Criterion = (typeof RANKING)[number]["by"];

const VALUE: Record<Criterion, (candidate: CandidateRow) => number | null> = {
  images: ({ scored_images }) => scored_images,
  top1: ({ score }) => score.top1,
  cross_entropy: ({ score }) => score.cross_entropy,
  index: ({ index }) => index,
};

/** Best first, as the server ranks. */
function byRank(a: CandidateRow, b: CandidateRow): number {
  for (const { by, descending } of RANKING) {
    const difference = compare(VALUE[by](a), VALUE[by](b));
    if (difference !== 0) return descending ? -difference : difference;
  }
  return 0;
}

/** Ascending; what is missing or not finite comes last. */
function compare(a: number | string | null, b: number | string | null): number {
  if (a === null || b === null) return Number(a === null) - Number(b === null);
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/** A candidate with its place among those of its budget, from 1. */
export interface Ranked {
  candidate: CandidateRow;
  rank: number;
}

/** All candidates that can win, the best of each budget first; probes cannot. */
export function ranked(candidates: Iterable<CandidateRow>): Ranked[] {
  const ranks = new Map<number | null, number>();
  const inOrder = [...candidates].filter(({ origin }) => !origin.is_probe).sort(byRank);
  const rows = inOrder.map((candidate) => {
    const rank = (ranks.get(candidate.origin.budget) ?? 0) + 1;
    ranks.set(candidate.origin.budget, rank);
    return { candidate, rank };
  });
  return rows.sort((a, b) => a.rank - b.rank || compare(a.candidate.origin.budget, b.candidate.origin.budget));
}

/** A candidate as the lists have it. */
export const inShort = ({ groups, ...candidate }: Candidate): CandidateRow => ({
  ...candidate,
  kept: groups.map(({ kept }) => kept),
});

/** Whether a candidate is the one that every other is judged against. */
export const isReference = ({ origin }: Pick<Candidate, "origin">): boolean => origin.strategy === "uniform";

/** Half the width of the interval of the top-1 accuracy: what stands behind ±. */
export const topOneError = ({ intervals }: Pick<CandidateRow, "intervals">): number => halfWidth(intervals.top1);

/** How a candidate's network was made before it was scored. */
export const MADE_NAMES: Record<EvaluationKind, string> = {
  adapted: "Adaptive BN",
  repaired: "Repaired",
  short_tuned: "Trained briefly",
  unadapted: "Without",
};

/** An evaluation of a candidate, or of its row. */
interface Scored<Score> extends Pick<Candidate["evaluations"][number], "kind" | "image_set" | "images"> {
  score: Score;
}

/** The score of a kind on the scoring images, from most of them; undefined where there is none. */
export const scoreOf = <Score>(
  { evaluations }: { evaluations: readonly Scored<Score>[] },
  wanted: EvaluationKind,
): Score | undefined =>
  evaluations
    .filter(({ kind, image_set }) => kind === wanted && image_set === "scoring")
    .toSorted((a, b) => b.images - a.images)[0]?.score;

/** The measured time that says most of a deployed network, ONNX Runtime on one thread, or that which a budget is about. */
export const mainLatency = (
  { latencies }: Pick<Candidate, "latencies">,
  of: LatencyOf = "onnxruntime_one_thread",
): Latency | undefined => {
  const runtime = of === "libtorch" ? "libtorch" : "onnxruntime";
  const most = of === "onnxruntime_one_thread" ? 1 : -1;
  return [...latencies].sort(
    (a, b) =>
      Number(b.runtime === runtime) - Number(a.runtime === runtime) ||
      most * (a.threads - b.threads) ||
      a.batch_size - b.batch_size,
  )[0];
};

/** Which candidates are looked at; an absent part leaves all. */
export interface Filter {
  strategy?: string;
  budget?: number | null;
}

export const matches = ({ origin }: Pick<Candidate, "origin">, { strategy, budget }: Filter): boolean =>
  (strategy === undefined || origin.strategy === strategy) && (budget === undefined || origin.budget === budget);

/** What a filter can choose from. */
export interface Choices {
  strategies: string[];
  budgets: (number | null)[];
}

/** The strategies and budgets that these candidates have, each once; those for no budget come last. */
export function choicesOf(rows: readonly Ranked[]): Choices {
  const origins = rows.map(({ candidate }) => candidate.origin);
  return {
    strategies: [...new Set(origins.map(({ strategy }) => strategy))].sort(compare),
    budgets: [...new Set(origins.map(({ budget }) => budget))].sort(compare),
  };
}

export type ColumnKey =
  | "rank"
  | "index"
  | "strategy"
  | "budget"
  | "top1"
  | "images"
  | "test"
  | "plain"
  | "top5"
  | "loss"
  | "macs"
  | "parameters"
  | "latency";
export type Direction = "ascending" | "descending";

export interface Column {
  key: ColumnKey;
  name: string;
  /** What one wants to see first when sorting by it. */
  first: Direction;
  value(row: Ranked): number | string | null;
  /** Whether it says words and no number. */
  isText?: boolean;
  /** Whether these rows have something to say here that differs; without it, it is always shown. */
  isUseful?(rows: readonly Ranked[]): boolean;
}

const differs = (rows: readonly Ranked[], value: (candidate: CandidateRow) => unknown): boolean =>
  rows.some(({ candidate }) => rows[0] !== undefined && value(candidate) !== value(rows[0].candidate));

export const COLUMNS: readonly Column[] = [
  { key: "rank", name: "Rank", first: "ascending", value: ({ rank }) => rank },
  { key: "index", name: "Candidate", first: "ascending", value: ({ candidate }) => candidate.index },
  {
    key: "strategy",
    name: "Strategy",
    first: "ascending",
    value: ({ candidate }) => candidate.origin.strategy,
    isText: true,
    isUseful: (rows) => differs(rows, ({ origin }) => origin.strategy),
  },
  {
    key: "budget",
    name: "Budget",
    first: "ascending",
    value: ({ candidate }) => candidate.origin.budget,
    isText: true,
    isUseful: (rows) => differs(rows, ({ origin }) => origin.budget),
  },
  { key: "top1", name: "Top-1", first: "descending", value: ({ candidate }) => candidate.score.top1 },
  {
    key: "test",
    name: "Top-1 on test images",
    first: "descending",
    value: ({ candidate }) => candidate.test_score?.top1 ?? null,
    isUseful: (rows) => rows.some(({ candidate }) => candidate.test_score !== null),
  },
  { key: "macs", name: "MACs", first: "ascending", value: ({ candidate }) => candidate.macs },
  {
    key: "latency",
    name: "Latency",
    first: "ascending",
    value: ({ candidate }) => mainLatency(candidate)?.milliseconds ?? null,
    isUseful: (rows) => rows.some(({ candidate }) => candidate.latencies.length > 0),
  },
  {
    key: "images",
    name: "Images",
    first: "descending",
    value: ({ candidate }) => candidate.scored_images,
    isUseful: (rows) => differs(rows, ({ scored_images }) => scored_images),
  },
  {
    key: "plain",
    name: "Top-1 without adaptive BN",
    first: "descending",
    value: ({ candidate }) => candidate.score_without_adaptation?.top1 ?? null,
  },
  { key: "top5", name: "Top-5", first: "descending", value: ({ candidate }) => candidate.score.top5 },
  { key: "loss", name: "Cross-entropy", first: "ascending", value: ({ candidate }) => candidate.score.cross_entropy },
  { key: "parameters", name: "Parameters", first: "ascending", value: ({ candidate }) => candidate.parameters },
];

/** The columns that say something about these rows. */
export const columnsOf = (rows: readonly Ranked[]): Column[] =>
  COLUMNS.filter(({ isUseful }) => isUseful?.(rows) ?? true);

/** The rows in the order of a column. Ties stay in the order of rank; missing values come last either way. */
export function sorted(rows: readonly Ranked[], key: ColumnKey, direction: Direction): Ranked[] {
  const column = COLUMNS.find((column) => column.key === key);
  const byRank = sortedBy(rows, ({ rank }) => rank, "ascending");
  return column ? sortedBy(byRank, (row) => column.value(row), direction) : byRank;
}
