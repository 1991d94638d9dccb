import { expect, it } from "vitest";

import type { QueuedJob } from "../api/types";
import { atWork, earlier, later, paused, waiting } from "./queue";

const job = (id: string, position: number | null): QueuedJob => ({
  id,
  kind: "search",
  search_id: `search of ${id}`,
  tuning_id: null,
  position,
  is_paused: id === "paused",
  created_at: "2026-11-28T10:00:00Z",
});
const JOBS = [job("running", null), job("a", 1), job("b", 2), job("c", 3), job("paused", null)];

it("tells what is running from what waits and what is paused", () => {
  const parts = [atWork(JOBS), waiting(JOBS), paused(JOBS)];
  expect(parts.map((jobs) => jobs.map(({ id }) => id))).toEqual([["running"], ["a", "b", "c"], ["paused"]]);
});

it("moves a job by one place, and none beyond the ends or out of its work", () => {
  expect(waiting(JOBS).map(({ id }) => id)).toEqual(["a", "b", "c"]);
  expect(["a", "b", "c", "running", "gone"].map((id) => earlier(JOBS, id))).toEqual([
    undefined,
    "a",
    "b",
    undefined,
    undefined,
  ]);
  expect(["a", "b", "c", "running", "gone"].map((id) => later(JOBS, id))).toEqual([
    "c",
    null,
    undefined,
    undefined,
    undefined,
  ]);
});
