// A candidate and a search for tests, with what they are about changed.

import type { CandidateRow, Search } from "../api/types";

export const aScore = (top1: number) => ({ top1, top5: 0.99, cross_entropy: 0.4, kl: 0.1, agreement: 0.9 });

export const aCandidate = (index: number, change: Partial<CandidateRow> = {}): CandidateRow => ({
  id: `c${index}`,
  index,
  origin: { strategy: "random", budget: 0, number: index, is_probe: false },
  kept: [8],
  macs: 8_000_000,
  parameters: 400_000,
  bytes: 1_600_000,
  score: aScore(0.9),
  scored_images: 1000,
  intervals: { top1: { low: 0.88, high: 0.92 } },
  is_tied: null,
  test_score: null,
  latencies: [],
  score_without_adaptation: null,
  evaluations: [],
  seconds: 1,
  created_at: new Date(Date.parse("2026-11-25T12:00:00Z") + 10_000 * index).toISOString(),
  ...change,
});

/** A search that has succeeded, for half of the MACs. */
export const aSearch = (change: Partial<Search> = {}): Search => ({
  id: "s",
  name: "MobileNetV1, 50%",
  model_id: "m",
  dataset_id: "d",
  state: "succeeded",
  request: {} as Search["request"],
  progress: { phase: "candidates", done: 48, total: 48 },
  baseline: null,
  best_candidate_id: null,
  winners: [],
  budgets: [{ macs: 0.5 }],
  warnings: [],
  latency_model: null,
  split: null,
  error: null,
  waiting_for: null,
  created_at: "2026-11-25T11:59:00Z",
  started_at: "2026-11-25T11:59:30Z",
  finished_at: "2026-11-25T12:10:00Z",
  ...change,
});
