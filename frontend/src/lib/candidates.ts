// Candidates side by side: which is best, and in which order they are shown.

import { RANKING } from "../api/ranking.gen";
import type { Candidate } from "../api/types";

type Criterion = (typeof RANKING)[number]["by"];

const VALUE: Record<Criterion, (candidate: Candidate) => number | null> = {
  top1: ({ score }) => score.top1,
  cross_entropy: ({ score }) => score.cross_entropy,
  index: ({ index }) => index,
};

/** Best first, as the server ranks. */
function byRank(a: Candidate, b: Candidate): number {
  for (const { by, descending } of RANKING) {
    const difference = compareNumbers(VALUE[by](a), VALUE[by](b));
    if (difference !== 0) return descending ? -difference : difference;
  }
  return 0;
}

/** Ascending; what is missing or not finite comes last. */
function compareNumbers(a: number | null, b: number | null): number {
  if (a === null || b === null) return Number(a === null) - Number(b === null);
  return a - b;
}

/** A candidate with its place, from 1. */
export interface Ranked {
  candidate: Candidate;
  rank: number;
}

/** All candidates, best first. */
export const ranked = (candidates: Iterable<Candidate>): Ranked[] =>
  [...candidates].sort(byRank).map((candidate, place) => ({ candidate, rank: place + 1 }));

export type ColumnKey = "rank" | "index" | "macs" | "parameters" | "top1" | "top5" | "loss" | "plain";
export type Direction = "ascending" | "descending";

export interface Column {
  key: ColumnKey;
  name: string;
  /** What one wants to see first when sorting by it. */
  first: Direction;
  value(row: Ranked): number | null;
}

export const COLUMNS: readonly Column[] = [
  { key: "rank", name: "Rank", first: "ascending", value: ({ rank }) => rank },
  { key: "index", name: "Candidate", first: "ascending", value: ({ candidate }) => candidate.index },
  { key: "top1", name: "Top-1", first: "descending", value: ({ candidate }) => candidate.score.top1 },
  {
    key: "plain",
    name: "Top-1 without adaptive BN",
    first: "descending",
    value: ({ candidate }) => candidate.score_without_adaptation?.top1 ?? null,
  },
  { key: "top5", name: "Top-5", first: "descending", value: ({ candidate }) => candidate.score.top5 },
  { key: "loss", name: "Cross-entropy", first: "ascending", value: ({ candidate }) => candidate.score.cross_entropy },
  { key: "macs", name: "MACs", first: "ascending", value: ({ candidate }) => candidate.macs },
  { key: "parameters", name: "Parameters", first: "ascending", value: ({ candidate }) => candidate.parameters },
];

/** The rows in the order of a column. Ties stay in the order of rank; missing values come last either way. */
export function sorted(rows: readonly Ranked[], key: ColumnKey, direction: Direction): Ranked[] {
  const column = COLUMNS.find((column) => column.key === key);
  if (!column) return [...rows];
  const sign = direction === "ascending" ? 1 : -1;
  return [...rows].sort((a, b) => {
    const [first, second] = [column.value(a), column.value(b)];
    if (first === null || second === null) return compareNumbers(first, second) || a.rank - b.rank;
    return sign * (first - second) || a.rank - b.rank;
  });
}
