import { describe, expect, it } from "vitest";

import type { CandidateRow } from "../api/types";
import { bestSoFar } from "./bestSoFar";
import { aCandidate, aScore } from "./fixtures";

const of = (
  index: number,
  strategy: "random" | "uniform" | "sensitivity",
  top1: number,
  change: Partial<CandidateRow> = {},
) =>
  aCandidate(index, {
    origin: { strategy, budget: 0, number: index, is_probe: false },
    score: aScore(top1),
    ...change,
  });
const probe = (index: number) => ({
  origin: { strategy: "sensitivity" as const, budget: 0, number: index, is_probe: true },
});

const START = "2026-11-25T12:00:00Z";

const steps = (candidates: CandidateRow[], pace: "candidates" | "time" = "candidates", since: string | null = START) =>
  bestSoFar(candidates, 0, pace, since).strategies.map(({ strategy, steps, end }) => [
    strategy,
    steps.map(({ candidate, at }) => [candidate.index, at]),
    end,
  ]);

describe("best so far", () => {
  it("has a step wherever a candidate is better than all before it, by strategy", () => {
    const candidates = [of(3, "random", 0.8), of(0, "random", 0.6), of(1, "sensitivity", 0.7), of(2, "random", 0.5)];
    expect(steps(candidates)).toEqual([
      [
        "random",
        [
          [0, 1],
          [3, 3],
        ],
        3,
      ],
      ["sensitivity", [[1, 1]], 1],
    ]);
  });

  it("counts probes, which cannot be the best", () => {
    expect(steps([of(0, "sensitivity", 0.99, probe(0)), of(1, "sensitivity", 0.7)])).toEqual([
      ["sensitivity", [[1, 2]], 2],
    ]);
  });

  it("leaves out accuracies on fewer images", () => {
    const candidates = [of(0, "random", 0.95, { scored_images: 500 }), of(1, "random", 0.8)];
    expect(steps(candidates)).toEqual([["random", [[1, 2]], 2]]);
  });

  it("has uniform as its reference, and no other budget", () => {
    const other = { origin: { strategy: "random" as const, budget: 1, number: 0, is_probe: false } };
    const { strategies, reference } = bestSoFar(
      [of(0, "uniform", 0.6), of(1, "random", 0.9, other)],
      0,
      "candidates",
      START,
    );
    expect([strategies, reference?.index]).toEqual([[], 0]);
  });

  it("counts time from the start, or from the first candidate where that came before", () => {
    const candidates = [of(0, "random", 0.6), of(1, "random", 0.7)];
    expect(steps(candidates, "time", "2026-11-25T11:59:50Z")).toEqual([
      [
        "random",
        [
          [0, 10],
          [1, 20],
        ],
        20,
      ],
    ]);
    expect(steps(candidates, "time", "2026-11-25T12:00:05Z")).toEqual([
      [
        "random",
        [
          [0, 0],
          [1, 10],
        ],
        10,
      ],
    ]);
    expect(steps(candidates, "time", null)).toEqual([
      [
        "random",
        [
          [0, 0],
          [1, 10],
        ],
        10,
      ],
    ]);
  });
});
