// The table of candidates: what its cells say, how wide they are, how it is sorted, and the table as a file.

import type { Limits } from "../api/types";
import { originBudget } from "./budgets";
import { COLUMNS, mainLatency, topOneError, type ColumnKey, type Direction, type Ranked } from "./candidates";
import type { Codec } from "./codecs";
import { csv } from "./csv";
import { count, latency, loss, NONE, percent, withError } from "./format";

/** Pixels of a row: a table of thousands has only those in the document that are seen. */
export const ROW_HEIGHT = 32;

/** Widths of columns in rem. They are fixed, so that scrolling on to other rows moves none. */
const WIDTHS: Record<ColumnKey, number> = {
  rank: 4.25,
  index: 9,
  strategy: 13.5,
  budget: 10,
  top1: 8.5,
  test: 7,
  macs: 8.5,
  latency: 13.5,
  images: 6,
  plain: 8,
  top5: 6,
  loss: 8,
  parameters: 8.5,
};

/** Roughly how wide a letter is, in rem. */
const LETTER = 0.46;

/** The width of a column; budgets in words are as long as they are. */
export function columnWidth(key: ColumnKey, budgets: readonly Limits[]): number {
  if (key !== "budget") return WIDTHS[key];
  const longest = Math.max(0, ...budgets.map((_, place) => originBudget(budgets, place).length));
  return Math.max(WIDTHS.budget, longest * LETTER + 1.75);
}

/** What a cell says. */
export function cellText(key: ColumnKey, { rank, candidate }: Ranked, budgets: readonly Limits[]): string {
  const { origin, score, score_without_adaptation: plain, test_score: test } = candidate;
  switch (key) {
    case "rank":
      return count(rank);
    case "index":
      return String(candidate.index);
    case "strategy":
      return origin.strategy;
    case "budget":
      return originBudget(budgets, origin.budget);
    case "top1":
      return withError(score.top1, topOneError(candidate));
    case "images":
      return count(candidate.scored_images);
    case "test":
      return test ? percent(test.top1, 2) : NONE;
    case "plain":
      return plain ? percent(plain.top1, 2) : NONE;
    case "top5":
      return percent(score.top5, 2);
    case "loss":
      return loss(score.cross_entropy);
    case "macs":
      return count(candidate.macs);
    case "parameters":
      return count(candidate.parameters);
    case "latency": {
      const measured = mainLatency(candidate);
      return measured ? latency(measured.milliseconds, measured.full_milliseconds) : NONE;
    }
  }
}

export interface Sorting {
  key: ColumnKey;
  direction: Direction;
}

export const BY_RANK: Sorting = { key: "rank", direction: "ascending" };

/** `macs` upwards, `-macs` downwards. */
export const sorting: Codec<Sorting> = {
  read(text) {
    const key = COLUMNS.find((column) => column.key === text.replace(/^-/, ""))?.key;
    return key && { key, direction: text.startsWith("-") ? "descending" : "ascending" };
  },
  write: ({ key, direction }) => (direction === "descending" ? `-${key}` : key),
};

/** The table as a file, with every number in full and what each group keeps; groups without names by their places. */
export function candidatesCsv(rows: readonly Ranked[], budgets: readonly Limits[], names: readonly string[]): string {
  const groups = (rows[0]?.candidate.kept ?? []).map((_, place) => names[place] ?? String(place));
  const header = [
    ...["rank", "candidate", "id", "strategy", "budget", "top1", "top1_low", "top1_high", "top5", "cross_entropy"],
    ...["scored_images", "tied_with_best", "top1_without_adaptive_bn", "top1_on_test_images"],
    ...["macs", "parameters", "bytes", "latency_ms", "full_latency_ms", "seconds"],
    ...groups.map((group) => `kept ${group}`),
  ];
  const lines = rows.map(({ rank, candidate: one }) => {
    const measured = mainLatency(one);
    return [
      ...[rank, one.index, one.id, one.origin.strategy, originBudget(budgets, one.origin.budget)],
      ...[one.score.top1, one.intervals.top1.low, one.intervals.top1.high, one.score.top5, one.score.cross_entropy],
      ...[one.scored_images, one.is_tied, one.score_without_adaptation?.top1, one.test_score?.top1],
      ...[one.macs, one.parameters, one.bytes, measured?.milliseconds, measured?.full_milliseconds, one.seconds],
      ...one.kept,
    ];
  });
  return csv(header, lines);
}

/** What the filter's choice of a budget is called in an address. */
export const budgetPlace: Codec<number | null> = {
  read: (text) => (text === "none" ? null : /^\d+$/.test(text) ? Number(text) : undefined),
  write: (place) => (place === null ? "none" : String(place)),
};
