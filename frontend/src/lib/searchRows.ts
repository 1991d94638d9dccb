// Searches side by side: what each has come to, in which order, and which of them are looked at.

import type { Candidate, Search } from "../api/types";
import { budgetsText } from "./budgets";
import { mainLatency, scoreOf, topOneError, type Direction } from "./candidates";
import type { CsvValue } from "./csv";
import { count } from "./format";
import { isFinal, progressText } from "./jobs";
import { titleOf } from "./searches";
import { hasWords } from "./words";

export interface SearchRow {
  search: Search;
  title: string;
  /** Names; undefined while they are not known yet. */
  model: string | undefined;
  dataset: string | undefined;
  /** All that words are looked for in. */
  words: string;
  /** The leader of the first budget: the winner, or whoever leads so far. Null where there is none, undefined where it has not been read. */
  leader: Candidate | null | undefined;
}

export function rowsOf(searches: readonly Search[], names: ReadonlyMap<string, string>): SearchRow[] {
  return searches.map((search) => {
    const [model, dataset] = [names.get(search.model_id), names.get(search.dataset_id)];
    const title = titleOf(search, model);
    const strategies = (search.request.strategies ?? []).join(" ");
    const words = [title, model, dataset, budgetsText(search.budgets), strategies, search.id].join(" ");
    return { search, title, model, dataset, words, leader: undefined };
  });
}

/** Rows with their leaders, as far as these are known. */
export const withLeaders = (rows: readonly SearchRow[], leaders: ReadonlyMap<string, Candidate | null>): SearchRow[] =>
  rows.map((row) => ({ ...row, leader: leaders.get(row.search.id) }));

/** The difference of the leader's top-1 to the full network's; undefined where one of them is not known. */
export const deltaOf = ({ search, leader }: SearchRow): number | undefined =>
  leader && search.baseline ? leader.score.top1 - search.baseline.score.top1 : undefined;

/** The score of the leader's repaired network. */
export const repairedOf = ({ leader }: SearchRow): number | undefined =>
  leader ? scoreOf(leader, "repaired")?.top1 : undefined;

export const latencyOf = ({ search, leader }: SearchRow) =>
  leader ? mainLatency(leader, search.request.latency_of) : undefined;

/** How far a search is, where there is little room; what its state says already is not said again. */
export function shortProgress({ state, waiting_for, progress }: Search): string {
  if (isFinal(state)) return "";
  if (waiting_for !== null) return `Waiting for ${waiting_for}`;
  return state !== "queued" && progress.phase !== "queued" && progress.total > 0
    ? `${count(progress.done)} of ${count(progress.total)}`
    : "";
}

export const SORT_KEYS = [
  "created",
  "name",
  "state",
  "model",
  "dataset",
  "budget",
  "top1",
  "repaired",
  "macs",
  "latency",
] as const;
export type SortKey = (typeof SORT_KEYS)[number];

export interface SearchColumn {
  key: SortKey;
  name: string;
  /** What one wants to see first when sorting by it. */
  first: Direction;
  isNumber: boolean;
  /** Whether it is of the leader, which is read by itself. */
  isOfLeader?: boolean;
  value: (row: SearchRow) => number | string | undefined;
}

const text = (key: SortKey, name: string, value: SearchColumn["value"]): SearchColumn => ({
  key,
  name,
  first: "ascending",
  isNumber: false,
  value,
});

const result = (key: SortKey, name: string, first: Direction, value: SearchColumn["value"]): SearchColumn => ({
  key,
  name,
  first,
  isNumber: true,
  isOfLeader: true,
  value,
});

export const SEARCH_COLUMNS: readonly SearchColumn[] = [
  text("name", "Name", ({ title }) => title.toLowerCase()),
  text("state", "State", ({ search }) => search.state),
  text("model", "Model", ({ model }) => model?.toLowerCase()),
  text("dataset", "Dataset", ({ dataset }) => dataset?.toLowerCase()),
  text("budget", "Budget", ({ search }) => budgetsText(search.budgets) || undefined),
  result("top1", "Top-1", "descending", ({ leader }) => leader?.score.top1),
  result("repaired", "Repaired", "descending", repairedOf),
  result("macs", "MACs", "ascending", ({ leader }) => leader?.macs),
  result("latency", "Latency", "ascending", (row) => latencyOf(row)?.milliseconds),
  {
    key: "created",
    name: "Queued",
    first: "descending",
    isNumber: false,
    value: ({ search }) => Date.parse(search.created_at),
  },
];

export const columnOf = (key: SortKey): SearchColumn =>
  SEARCH_COLUMNS.find((column) => column.key === key) ?? SEARCH_COLUMNS[0]!;

/** The rows in the order of a column; what is missing comes last either way, and ties are newest first. */
export function sortedRows(rows: readonly SearchRow[], key: SortKey, direction: Direction): SearchRow[] {
  const { value } = columnOf(key);
  const sign = direction === "ascending" ? 1 : -1;
  return rows
    .map((row) => ({ row, value: value(row) }))
    .sort(
      (a, b) =>
        missingLast(a.value, b.value) ||
        sign * compare(a.value, b.value) ||
        compare(b.row.search.created_at, a.row.search.created_at),
    )
    .map(({ row }) => row);
}

const missingLast = (a: unknown, b: unknown): number => Number(a === undefined) - Number(b === undefined);

function compare(a: number | string | undefined, b: number | string | undefined): number {
  if (a === undefined || b === undefined || a === b) return 0;
  return a < b ? -1 : 1;
}

/** Which searches are looked at; what is empty leaves all. */
export interface SearchFilter {
  state: string;
  model: string;
  dataset: string;
  /** Words that are in the title, the names or the strategies, all of them. */
  words: string;
}

export function isWanted({ search, words }: SearchRow, filter: SearchFilter): boolean {
  if (filter.state && search.state !== filter.state) return false;
  if (filter.model && search.model_id !== filter.model) return false;
  if (filter.dataset && search.dataset_id !== filter.dataset) return false;
  return hasWords(words, filter.words);
}

export interface Choice {
  value: string;
  name: string;
}

/** The states, models and datasets that these searches have, each once. */
export function searchChoices(rows: readonly SearchRow[]): Record<"states" | "models" | "datasets", Choice[]> {
  const each = (value: (row: SearchRow) => string, name: (row: SearchRow) => string | undefined): Choice[] =>
    [...new Map(rows.map((row) => [value(row), { value: value(row), name: name(row) ?? "…" }])).values()].sort((a, b) =>
      a.name.localeCompare(b.name),
    );
  return {
    states: each(
      ({ search }) => search.state,
      ({ search }) => search.state,
    ),
    models: each(
      ({ search }) => search.model_id,
      ({ model }) => model,
    ),
    datasets: each(
      ({ search }) => search.dataset_id,
      ({ dataset }) => dataset,
    ),
  };
}

export const CSV_HEADER = [
  "id",
  "name",
  "state",
  "progress",
  "model",
  "dataset",
  "budgets",
  "strategies",
  "candidates asked for",
  "best candidate",
  "strategy of the best",
  "top1",
  "top1 half interval",
  "top1 of the full network",
  "top1 repaired",
  "top1 on test images",
  "MACs",
  "MACs of the full network",
  "parameters",
  "latency ms",
  "latency ms of the full network",
  "queued",
  "finished",
] as const;

export function csvRow(row: SearchRow): CsvValue[] {
  const { search, title, model, dataset, leader } = row;
  const measured = latencyOf(row);
  return [
    search.id,
    title,
    search.state,
    isFinal(search.state) ? "" : progressText(search),
    model,
    dataset,
    budgetsText(search.budgets),
    (search.request.strategies ?? []).join(" "),
    search.request.candidates,
    leader?.id,
    leader?.origin.strategy,
    leader?.score.top1,
    leader ? topOneError(leader) : undefined,
    search.baseline?.score.top1,
    repairedOf(row),
    leader?.test_score?.top1,
    leader?.macs,
    search.baseline?.macs,
    leader?.parameters,
    measured?.milliseconds,
    measured?.full_milliseconds,
    search.created_at,
    search.finished_at,
  ];
}
