// What a search's state and progress mean in words.

import type { Search, SearchState } from "../api/types";
import { budgetsText } from "./budgets";
import { capitalised, count } from "./format";

/** Whether nothing more will happen to a search. */
export const isFinal = (state: SearchState): boolean => state !== "queued" && state !== "running";

/** What to call a search that has no name. */
export function titleOf({ name, budgets }: Pick<Search, "name" | "budgets">, model: string | undefined): string {
  const budget = budgets.length > 0 ? `at ${budgetsText(budgets)}` : "with keep counts by hand";
  return name ?? `${model ?? "Search"} ${budget}`;
}

/** The phase in which candidates are evaluated, as the server names it. */
const CANDIDATES = "candidates";

/** What is being done and how far it is: `Candidates: 12 of 48`; or what has to come back before it goes on. */
export function progressText({ state, progress, waiting_for, started_at }: Search): string {
  if (!isFinal(state) && waiting_for !== null) return `Waiting for ${waiting_for}`;
  if (state === "queued") return "Waiting for a worker";
  const { phase, done, total } = progress;
  if (isFinal(state) && started_at === null) return "Ended before it started";
  if (isFinal(state) && phase === "queued") return "Ended before it resumed";
  return total > 0 ? `${capitalised(phase)}: ${count(done)} of ${count(total)}` : capitalised(phase);
}

/** The part of the present phase that is done, 0 to 1; undefined where it is not known. */
export function progressFraction({ state, progress }: Search): number | undefined {
  if (state === "queued" || progress.total <= 0) return undefined;
  return Math.min(1, progress.done / progress.total);
}

/** Seconds between the start of the work and its end, or now; undefined before it has started. */
export function elapsed({ started_at, finished_at }: Search, now: number): number | undefined {
  if (started_at === null) return undefined;
  const end = finished_at === null ? now : Date.parse(finished_at);
  return Math.max(0, (end - Date.parse(started_at)) / 1000);
}

/**
 * Seconds until the last candidate is scored, when the rest take as long as those before them did on average;
 * undefined where it is too early to say.
 */
export function remaining(search: Search, candidateSeconds: readonly number[]): number | undefined {
  const { phase, done, total } = search.progress;
  if (search.state !== "running" || phase !== CANDIDATES || candidateSeconds.length === 0) return undefined;
  const mean = candidateSeconds.reduce((sum, seconds) => sum + seconds, 0) / candidateSeconds.length;
  return mean * Math.max(0, total - done);
}
