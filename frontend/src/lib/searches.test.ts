import { describe, expect, it } from "vitest";

import type { Search } from "../api/types";
import { elapsed, progressFraction, progressText, remaining, titleOf } from "./searches";

const search = (change: Partial<Search>): Search => ({
  id: "s",
  name: null,
  model_id: "m",
  dataset_id: "d",
  state: "running",
  request: {
    model_id: "m",
    dataset_id: "d",
    strategies: ["random"],
    uniform_reference: true,
    front: false,
    racing: true,
    repaired: 0,
    vanilla_images: 512,
    macs: 0.5,
    candidates: 48,
    seed: 0,
    calibration_images: 1000,
    scoring_images: 1500,
    batch_size: 128,
    round_to: 1,
    min_keep_ratio: 0.1,
    adaptation: { mode: "cumulative" },
    preprocessing: { mean: [0], deviation: [1], scale: 1 / 255 },
  },
  progress: { phase: "candidates", done: 12, total: 48 },
  baseline: null,
  best_candidate_id: null,
  winners: [],
  budgets: [{ macs: 0.5 }],
  warnings: [],
  split: null,
  latency_model: null,
  error: null,
  waiting_for: null,
  created_at: "2026-11-25T12:00:00Z",
  started_at: "2026-11-25T12:00:10Z",
  finished_at: null,
  ...change,
});

describe("progress", () => {
  it("says phase and steps", () => {
    expect(progressText(search({}))).toBe("Candidates: 12 of 48");
    expect(progressFraction(search({}))).toBe(0.25);
  });

  it("says the phase alone where steps are not known", () => {
    const starting = search({ progress: { phase: "starting", done: 0, total: 0 } });
    expect([progressText(starting), progressFraction(starting)]).toEqual(["Starting", undefined]);
  });

  it("says that a queued search waits, whatever its phase", () => {
    const queued = search({ state: "queued" });
    expect([progressText(queued), progressFraction(queued)]).toEqual(["Waiting for a worker", undefined]);
  });

  it("says what has to come back before a search goes on", () => {
    const waiting_for = "space on the disk of the database";
    for (const state of ["queued", "running"] as const) {
      expect(progressText(search({ state, waiting_for }))).toBe("Waiting for space on the disk of the database");
    }
    expect(progressText(search({ state: "cancelled", waiting_for }))).toBe("Candidates: 12 of 48");
  });

  it("says that a search ended before it began only of one that has ended and never began", () => {
    const progress = { phase: "queued", done: 0, total: 48 };
    expect(progressText(search({ state: "cancelled", started_at: null, progress }))).toBe("Ended before it started");
    const starting = { ...progress, phase: "starting", done: 3 };
    expect(progressText(search({ state: "running", progress: starting }))).toBe("Starting: 3 of 48");
    expect(progressText(search({ state: "cancelled", progress: { ...progress, done: 3 } }))).toBe(
      "Ended before it resumed",
    );
  });
});

describe("time", () => {
  it("runs until now, or until the end", () => {
    const now = Date.parse("2026-11-25T12:01:10Z");
    expect(elapsed(search({}), now)).toBe(60);
    expect(elapsed(search({ finished_at: "2026-11-25T12:00:30Z" }), now)).toBe(20);
    expect(elapsed(search({ started_at: null }), now)).toBeUndefined();
  });

  it("is expected to go on as it went", () => {
    expect(remaining(search({}), [1, 3])).toBe(72);
    expect(remaining(search({}), [])).toBeUndefined();
    expect(remaining(search({ progress: { phase: "baseline", done: 0, total: 1 } }), [1])).toBeUndefined();
    expect(remaining(search({ state: "cancelled" }), [1])).toBeUndefined();
  });
});

it("calls a search without a name by its model and budgets", () => {
  const budgets = [{ macs: 0.7 }, { macs: 0.3 }];
  expect(titleOf(search({ budgets }), "MobileNetV1")).toBe("MobileNetV1 at 70% and 30% of MACs");
  expect(titleOf(search({ budgets: [] }), "MobileNetV1")).toBe("MobileNetV1 with keep counts by hand");
  expect(titleOf(search({}), "MobileNetV1")).toBe("MobileNetV1 at 50% of MACs");
  expect(titleOf(search({ name: "First try" }), "MobileNetV1")).toBe("First try");
});
