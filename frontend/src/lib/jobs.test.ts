import { describe, expect, it } from "vitest";

import type { Job } from "../api/types";
import { elapsed, progressFraction, progressText } from "./jobs";

const job = (change: Partial<Job>): Job => ({
  state: "running",
  progress: { phase: "candidates", done: 12, total: 48 },
  waiting_for: null,
  started_at: "2026-11-25T12:00:10Z",
  finished_at: null,
  ...change,
});

describe("progress", () => {
  it("says phase and steps", () => {
    expect(progressText(job({}))).toBe("Candidates: 12 of 48");
    expect(progressFraction(job({}))).toBe(0.25);
    expect(progressText(job({ progress: { phase: "short_tune", done: 1, total: 4 } }))).toBe("Short tune: 1 of 4");
  });

  it("says the phase alone where steps are not known", () => {
    const starting = job({ progress: { phase: "starting", done: 0, total: 0 } });
    expect([progressText(starting), progressFraction(starting)]).toEqual(["Starting", undefined]);
  });

  it("says that a queued job waits, whatever its phase", () => {
    const queued = job({ state: "queued" });
    expect([progressText(queued), progressFraction(queued)]).toEqual(["Waiting for a worker", undefined]);
  });

  it("says how far a paused job was, if it had begun", () => {
    expect(progressText(job({ state: "paused" }))).toBe("Paused. Candidates: 12 of 48");
    expect(progressFraction(job({ state: "paused" }))).toBe(0.25);
    const queued = { phase: "queued", done: 0, total: 48 };
    expect(progressText(job({ state: "paused", started_at: null, progress: queued }))).toBe("Paused");
  });

  it("says what has to come back before a job goes on", () => {
    const waiting_for = "space on the disk of the database";
    for (const state of ["queued", "running"] as const) {
      expect(progressText(job({ state, waiting_for }))).toBe("Waiting for space on the disk of the database");
    }
    expect(progressText(job({ state: "cancelled", waiting_for }))).toBe("Candidates: 12 of 48");
  });

  it("says that a job ended before it began only of one that has ended and never began", () => {
    const progress = { phase: "queued", done: 0, total: 48 };
    expect(progressText(job({ state: "cancelled", started_at: null, progress }))).toBe("Ended before it started");
    const starting = { ...progress, phase: "starting", done: 3 };
    expect(progressText(job({ state: "running", progress: starting }))).toBe("Starting: 3 of 48");
    expect(progressText(job({ state: "cancelled", progress: { ...progress, done: 3 } }))).toBe(
      "Ended before it resumed",
    );
  });
});

it("runs until now, or until the end", () => {
  const now = Date.parse("2026-11-25T12:01:10Z");
  expect(elapsed(job({}), now)).toBe(60);
  expect(elapsed(job({ finished_at: "2026-11-25T12:00:30Z" }), now)).toBe(20);
  expect(elapsed(job({ started_at: null }), now)).toBeUndefined();
  expect(elapsed(job({ state: "paused" }), now), "nobody is at it").toBeUndefined();
});
