import { describe, expect, it } from "vitest";

import type { Candidate, Search } from "../api/types";
import { csv } from "./csv";
import {
  CSV_HEADER,
  csvRow,
  deltaOf,
  isWanted,
  rowsOf,
  searchChoices,
  shortProgress,
  sortedRows,
  withLeaders,
  type SearchFilter,
  type SearchRow,
} from "./searchRows";

const score = (top1: number) => ({ top1, top5: 1, cross_entropy: 0.3, agreement: null, kl: null });

const search = (id: string, change: Partial<Search> = {}): Search =>
  ({
    id,
    name: `Search ${id}`,
    model_id: "m1",
    dataset_id: "d1",
    state: "succeeded",
    request: { strategies: ["random"], candidates: 12 },
    progress: { phase: "candidates", done: 12, total: 12 },
    baseline: { score: score(0.9), macs: 1000, parameters: 10 },
    budgets: [{ macs: 0.5 }],
    best_candidate_id: null,
    waiting_for: null,
    started_at: "2026-11-25T12:00:00Z",
    finished_at: null,
    created_at: `2026-11-25T12:00:0${id}Z`,
    ...change,
  }) as unknown as Search;

const leader = (top1: number, macs: number): Candidate =>
  ({
    id: `c${top1}`,
    origin: { strategy: "random" },
    score: score(top1),
    intervals: { top1: { low: top1 - 0.01, high: top1 + 0.01 } },
    macs,
    parameters: 5,
    evaluations: [],
    latencies: [],
    test_score: null,
  }) as unknown as Candidate;

const names = new Map([
  ["m1", "ResNet"],
  ["m2", "MobileNet"],
  ["d1", "Fashion"],
]);
const rows = withLeaders(
  rowsOf(
    [
      search("3", { state: "running" }),
      search("2", { model_id: "m2", name: null }),
      search("1", { state: "failed", dataset_id: "unknown" }),
    ],
    names,
  ),
  new Map([
    ["3", leader(0.8, 500)],
    ["2", leader(0.85, 400)],
    ["1", null],
  ]),
);

const ids = (of: readonly SearchRow[]): string => of.map(({ search: { id } }) => id).join("");
const all: SearchFilter = { state: "", model: "", dataset: "", words: "" };
const wanted = (filter: Partial<SearchFilter>): string =>
  ids(rows.filter((row) => isWanted(row, { ...all, ...filter })));

describe("sortedRows", () => {
  it("puts what is missing last either way", () => {
    expect(ids(sortedRows(rows, "top1", "descending"))).toBe("231");
    expect(ids(sortedRows(rows, "top1", "ascending"))).toBe("321");
    expect(ids(sortedRows(rows, "dataset", "ascending"))).toBe("321");
  });

  it("sorts by words and by age", () => {
    expect(ids(sortedRows(rows, "model", "ascending"))).toBe("231");
    expect(ids(sortedRows(rows, "created", "ascending"))).toBe("123");
    expect(ids(sortedRows(rows, "latency", "ascending"))).toBe("321");
  });
});

it("takes what has all the words and is as chosen", () => {
  expect(wanted({})).toBe("321");
  expect(wanted({ state: "running" })).toBe("3");
  expect(wanted({ model: "m1", dataset: "d1" })).toBe("3");
  expect(wanted({ words: "resnet RANDOM" })).toBe("31");
  expect(wanted({ words: "mobile 50%" })).toBe("2");
  expect(wanted({ words: "nothing" })).toBe("");
});

it("says in few words how far a search is", () => {
  const running = search("1", { state: "running" });
  expect(shortProgress(running)).toBe("12 of 12");
  expect(shortProgress({ ...running, waiting_for: "a model" })).toBe("Waiting for a model");
  expect(shortProgress({ ...running, progress: { phase: "loading", done: 0, total: 0 } })).toBe("");
  expect([shortProgress(search("1")), shortProgress({ ...running, state: "queued" })]).toEqual(["", ""]);
});

it("offers what there is", () => {
  const { states, models, datasets } = searchChoices(rows);
  expect(states.map(({ value }) => value)).toEqual(["failed", "running", "succeeded"]);
  expect(models.map(({ name }) => name)).toEqual(["MobileNet", "ResNet"]);
  expect(datasets.map(({ name }) => name)).toContain("…");
});

it("compares with the full network where both are known", () => {
  expect(rows.map((row) => deltaOf(row)?.toFixed(2))).toEqual(["-0.10", "-0.05", undefined]);
});

it("has a line of CSV with as many values as the header", () => {
  expect(csvRow(rows[0]!)).toHaveLength(CSV_HEADER.length);
  expect(csv(CSV_HEADER, [csvRow(rows[2]!)]).split("\r\n")[1]).toMatch(
    /^1,Search 1,failed,,ResNet,,50% of MACs,random,12,,/,
  );
});
