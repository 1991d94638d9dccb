import { describe, expect, it } from "vitest";

import type { CandidateRow, Latency } from "../api/types";
import {
  choicesOf,
  columnsOf,
  isReference,
  mainLatency,
  matches,
  ranked,
  scoreOf,
  sorted,
  topOneError,
} from "./candidates";

const score = (top1: number, top5: number, cross_entropy: number | null) => ({
  top1,
  top5,
  cross_entropy,
});

function candidate(
  index: number,
  top1: number,
  loss: number | null,
  plain: number | null = 0.1,
  change: Partial<CandidateRow> = {},
): CandidateRow {
  return {
    id: `c${index}`,
    index,
    origin: { strategy: "random", budget: 0, number: index, is_probe: false },
    kept: [],
    macs: 8_000_000 - index,
    parameters: 400_000,
    bytes: 1_600_000,
    score: score(top1, 0.99, loss),
    scored_images: 1500,
    intervals: { top1: { low: top1 - 0.008, high: top1 + 0.006 } },
    is_tied: null,
    test_score: null,
    latencies: [],
    score_without_adaptation: plain === null ? null : score(plain, 0.5, 2),
    evaluations: [],
    seconds: 1,
    created_at: "2026-11-25T12:00:00Z",
    ...change,
  };
}

const origin = (strategy: "random" | "uniform" | "sensitivity", budget: number | null, is_probe = false) => ({
  origin: { strategy, budget, number: 0, is_probe },
});

const latency = (change: Partial<Latency>): Latency => ({
  runtime: "onnxruntime",
  device: "cpu",
  threads: 1,
  batch_size: 1,
  runs: 50,
  milliseconds: 2,
  full_milliseconds: 3,
  ...change,
});

const indices = (rows: { candidate: CandidateRow }[]) => rows.map((row) => row.candidate.index);

describe("ranked", () => {
  it("decides ties as the server does: lower loss, then lower index", () => {
    const rows = ranked([
      candidate(0, 0.9, 0.4),
      candidate(3, 0.91, null),
      candidate(2, 0.91, 0.3),
      candidate(1, 0.91, 0.3),
    ]);
    expect(indices(rows)).toEqual([1, 2, 3, 0]);
    expect(rows.map((row) => row.rank)).toEqual([1, 2, 3, 4]);
  });

  it("puts those before that were scored on more images", () => {
    const rows = ranked([candidate(0, 0.95, 0.2, null, { scored_images: 400 }), candidate(1, 0.9, 0.3)]);
    expect(indices(rows)).toEqual([1, 0]);
  });

  it("gives places within each budget, and none to probes", () => {
    const rows = ranked([
      candidate(0, 0.9, 0.3, null, origin("random", 0)),
      candidate(1, 0.8, 0.3, null, origin("random", 1)),
      candidate(2, 0.85, 0.3, null, origin("random", 0)),
      candidate(3, 0.99, 0.1, null, origin("sensitivity", 0, true)),
    ]);
    expect(rows.map(({ candidate, rank }) => [candidate.index, rank])).toEqual([
      [0, 1],
      [1, 1],
      [2, 2],
    ]);
  });
});

describe("sorted", () => {
  const rows = ranked([candidate(0, 0.9, 0.4, null), candidate(1, 0.8, 0.6, 0.2), candidate(2, 0.7, null, 0.3)]);

  it("goes both ways", () => {
    expect(indices(sorted(rows, "macs", "ascending"))).toEqual([2, 1, 0]);
    expect(indices(sorted(rows, "macs", "descending"))).toEqual([0, 1, 2]);
  });

  it("keeps missing values at the end either way", () => {
    expect(indices(sorted(rows, "plain", "descending"))).toEqual([2, 1, 0]);
    expect(indices(sorted(rows, "plain", "ascending"))).toEqual([1, 2, 0]);
    expect(indices(sorted(rows, "loss", "descending"))).toEqual([1, 0, 2]);
  });

  it("keeps the order of rank among equals", () => {
    expect(indices(sorted(rows, "parameters", "descending"))).toEqual([0, 1, 2]);
  });

  it("goes by names where a column has names", () => {
    const mixed = ranked([candidate(0, 0.9, 0.4, null, origin("uniform", 0)), candidate(1, 0.8, 0.6)]);
    expect(indices(sorted(mixed, "strategy", "ascending"))).toEqual([1, 0]);
    expect(indices(sorted(mixed, "strategy", "descending"))).toEqual([0, 1]);
  });
});

describe("columns", () => {
  const keys = (candidates: CandidateRow[]) => columnsOf(ranked(candidates)).map(({ key }) => key);

  it("leave out what is the same in all rows, or in none", () => {
    expect(keys([candidate(0, 0.9, 0.4), candidate(1, 0.8, 0.4)])).toEqual([
      "rank",
      "index",
      "top1",
      "macs",
      "plain",
      "top5",
      "loss",
      "parameters",
    ]);
    expect(keys([])).toContain("top1");
  });

  it("show strategies, budgets, images, tests and latencies where there are several", () => {
    const other = candidate(1, 0.8, 0.4, null, {
      ...origin("uniform", 1),
      scored_images: 400,
      test_score: score(0.8, 0.9, 0.5),
      latencies: [latency({})],
    });
    const shown = keys([candidate(0, 0.9, 0.4), other]);
    for (const key of ["strategy", "budget", "images", "test", "latency"]) expect(shown).toContain(key);
  });
});

describe("latency", () => {
  it("is that of ONNX Runtime on one thread where it was measured", () => {
    const all = [
      latency({ runtime: "libtorch", threads: 1 }),
      latency({ threads: 8 }),
      latency({ threads: 1, milliseconds: 4 }),
    ];
    expect(mainLatency({ latencies: all })).toBe(all[2]);
    expect(mainLatency({ latencies: all.slice(0, 1) })).toBe(all[0]);
    expect(mainLatency({ latencies: [] })).toBeUndefined();
  });

  it("is that which a budget is about", () => {
    const all = [latency({ threads: 1 }), latency({ threads: 8 }), latency({ runtime: "libtorch", threads: 8 })];
    expect(mainLatency({ latencies: all }, "onnxruntime_all_threads")).toBe(all[1]);
    expect(mainLatency({ latencies: all }, "libtorch")).toBe(all[2]);
    expect(mainLatency({ latencies: all.slice(0, 2) }, "libtorch")).toBe(all[1]);
  });
});

it("takes the score of a kind from the most scoring images", () => {
  const evaluation = (kind: "adapted" | "unadapted", image_set: "scoring" | "test", images: number, top1: number) => ({
    ...{ kind, image_set, images, calibration_images: 100, seconds: 1 },
    score: score(top1, 1, 0.4),
    intervals: candidate(0, top1, 0.4).intervals,
  });
  const evaluations = [
    evaluation("adapted", "scoring", 500, 0.7),
    evaluation("adapted", "scoring", 2000, 0.8),
    evaluation("adapted", "test", 4000, 0.9),
  ];
  expect(scoreOf({ evaluations }, "adapted")?.top1).toBe(0.8);
  expect(scoreOf({ evaluations }, "repaired")).toBeUndefined();
});

it("halves the interval for what stands behind ±", () => {
  expect(topOneError(candidate(0, 0.9, 0.4))).toBeCloseTo(0.007);
});

it("knows the reference, and which candidates a filter leaves", () => {
  const [random, uniform] = [candidate(0, 0.9, 0.4), candidate(1, 0.8, 0.4, null, origin("uniform", 1))];
  expect([random, uniform].map(isReference)).toEqual([false, true]);
  expect([random, uniform].map((one) => matches(one, {}))).toEqual([true, true]);
  expect([random, uniform].map((one) => matches(one, { budget: 1 }))).toEqual([false, true]);
  expect(matches(uniform, { strategy: "uniform", budget: 0 })).toBe(false);
});

it("offers each strategy and budget once", () => {
  const rows = ranked([
    candidate(0, 0.9, 0.4, null, origin("uniform", null)),
    candidate(1, 0.9, 0.4, null, origin("random", 1)),
    candidate(2, 0.9, 0.4, null, origin("random", 0)),
    candidate(3, 0.9, 0.4, null, origin("sensitivity", 2, true)),
  ]);
  expect(choicesOf(rows)).toEqual({ strategies: ["random", "uniform"], budgets: [0, 1, null] });
});
