import { describe, expect, it } from "vitest";

import type { Search } from "../api/types";
import { aCandidate, aScore, aSearch } from "./fixtures";
import { failureText } from "./failure";
import { searchLog } from "./searchLog";
import { tabTitle } from "./tabTitle";
import { tiesOf, tiesText } from "./ties";

const texts = (search: Search, candidates = [aCandidate(0), aCandidate(1)]): string[] =>
  searchLog(search, candidates).map(({ text }) => text);

describe("the log", () => {
  it("says what happened in its order", () => {
    const warning = (at: "before" | "after") => ({ code: "few_scoring_images" as const, message: "", at });
    const search = aSearch({
      winners: [{ budget: 0, candidate_id: "c1" }],
      warnings: [warning("after"), warning("before")],
    });
    expect(texts(search)).toEqual([
      "Queued",
      "Started, after 30 s in the queue",
      "Warning: few scoring images",
      "First evaluation: candidate 0 by random",
      "Evaluation 2, the latest: candidate 1 by random",
      "Warning: few scoring images",
      "Candidate 1 won for 50% of MACs, with top-1 90.00%",
      "Succeeded",
    ]);
  });

  it("says when a search was taken up again, and what it does now", () => {
    const search = aSearch({
      state: "running",
      started_at: "2026-11-25T12:00:05Z",
      finished_at: null,
      progress: { phase: "race", done: 6, total: 15 },
    });
    expect(texts(search)).toEqual([
      "Queued",
      "First evaluation: candidate 0 by random",
      "Taken up again",
      "Evaluation 2, the latest: candidate 1 by random",
      "Now: Race: 6 of 15",
    ]);
  });

  it("says where a search ended early", () => {
    expect(texts(aSearch({ state: "cancelled", started_at: null }), [])).toEqual([
      "Queued",
      "Cancelled before it started",
    ]);
    expect(texts(aSearch({ state: "failed", error: "…" }), []).at(-1)).toBe(
      "Failed while candidates were evaluated (48 of 48), for the reason above",
    );
  });

  it("says that a finding ended the search, and not the same before as a warning", () => {
    const error = "the full network classifies 10.7% correctly, which is chance for 10 classes";
    const warnings = [{ code: "near_chance" as const, message: "", at: "before" as const }];
    const progress = { phase: "baseline", done: 1, total: 2 };
    expect(texts(aSearch({ state: "failed", error, warnings, progress }), [])).toEqual([
      "Queued",
      "Started, after 30 s in the queue",
      "Failed while the full network was scored, for the reason above",
    ]);
  });

  it("leads to candidates, but not to probes", () => {
    const probe = aCandidate(0, { origin: { strategy: "sensitivity", budget: 0, number: 0, is_probe: true } });
    const found = searchLog(aSearch(), [probe, aCandidate(1)]).map(({ candidateId }) => candidateId);
    expect(found.filter(Boolean)).toEqual(["c1"]);
  });
});

it("tells where a search failed, why and what to do in one sentence", () => {
  const progress = { phase: "short_tune", done: 3, total: 40 };
  const text = failureText({ started_at: "2026-11-25T12:00:00Z", progress, error: "libtorch: out of memory.\n" });
  expect(text).toBe(
    "While the best candidates were trained briefly (3 of 40): libtorch: out of memory; " +
      "start it again with changes, or try again as it is once the cause is gone.",
  );
  expect(failureText({ started_at: null, progress, error: null })).toContain(
    "Before it started: the server gives no reason;",
  );
  expect(failureText({ started_at: "", progress: { phase: "new_phase", done: 0, total: 0 }, error: "x" })).toContain(
    "In the phase “new phase”: x",
  );
  const error = "10% of the images, which is chance for 10 classes: check the mean";
  expect(failureText({ started_at: "", progress: { phase: "baseline", done: 1, total: 2 }, error })).toBe(
    `While the full network was scored: ${error}; start it again with changes.`,
  );
});

it("has the progress in the tab, and the end of what was watched", () => {
  const title = (change: Partial<Search>, wasWatched = true) =>
    tabTitle(aSearch(change), "MobileNetV1, 50%", wasWatched);
  const running = (phase: string, done: number, total: number) =>
    title({ state: "running", progress: { phase, done, total } });
  expect(running("candidates", 12, 48)).toBe("(12/48) MobileNetV1, 50%");
  expect(running("short_tune", 1200, 4000)).toBe("(short tune 1,200/4,000) MobileNetV1, 50%");
  expect(running("baseline", 0, 0)).toBe("(baseline) MobileNetV1, 50%");
  expect(title({ state: "queued" })).toBe("(queued) MobileNetV1, 50%");
  expect([title({ state: "failed" }), title({ state: "failed" }, false)]).toEqual([
    "(failed) MobileNetV1, 50%",
    "MobileNetV1, 50%",
  ]);
});

it("says how many cannot be told from the best of each budget", () => {
  const row = (index: number, budget: number, is_tied: boolean) => ({
    rank: 1,
    candidate: aCandidate(index, {
      is_tied,
      score: aScore(0.9),
      origin: { strategy: "random", budget, number: 0, is_probe: false },
    }),
  });
  const ties = tiesOf(
    [row(0, 0, true), row(1, 0, true), row(2, 0, true), row(3, 1, false), row(4, 1, true)],
    new Set(["c0"]),
  );
  expect([...ties]).toEqual([
    [0, 2],
    [1, 1],
  ]);
  const budgets = [{ macs: 0.5 }, { macs: 0.25 }];
  expect(tiesText(ties, budgets)).toMatch(
    /for 50% of MACs 2 other candidates, and for 25% of MACs 1 other candidate cannot/,
  );
  expect(tiesText(new Map(), budgets)).toBe("");
});
