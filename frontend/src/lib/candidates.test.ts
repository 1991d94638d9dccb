import { describe, expect, it } from "vitest";

import type { Candidate } from "../api/types";
import { ranked, sorted } from "./candidates";

function candidate(index: number, top1: number, loss: number | null, plain: number | null = 0.1): Candidate {
  return {
    id: `c${index}`,
    search_id: "s",
    index,
    groups: [],
    macs: 8_000_000 - index,
    parameters: 400_000,
    score: { top1, top5: 0.99, cross_entropy: loss },
    score_without_adaptation: plain === null ? null : { top1: plain, top5: 0.5, cross_entropy: 2 },
    evaluations: [],
    seconds: 1,
    created_at: "2026-11-25T12:00:00Z",
  };
}

const indices = (rows: { candidate: Candidate }[]) => rows.map((row) => row.candidate.index);

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
});
