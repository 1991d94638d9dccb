// What the state and the progress of a job mean in words.

import type { Job, JobState } from "../api/types";
import { capitalised, count } from "./format";

/** Whether nothing more will happen to a job. */
export const isFinal = (state: JobState): boolean =>
  state === "succeeded" || state === "failed" || state === "cancelled";

/** What is being done and how far it is: `Candidates: 12 of 48`; or what has to come back before it goes on. */
export function progressText({ state, progress, waiting_for, started_at }: Job): string {
  if (!isFinal(state) && waiting_for !== null) return `Waiting for ${waiting_for}`;
  if (state === "queued") return "Waiting for a worker";
  const { phase, done, total } = progress;
  if (state === "paused" && phase === "queued") return "Paused";
  if (isFinal(state) && started_at === null) return "Ended before it started";
  if (isFinal(state) && phase === "queued") return "Ended before it resumed";
  const doing = phase.replaceAll("_", " ");
  const words = state === "paused" ? `Paused. ${capitalised(doing)}` : capitalised(doing);
  return total > 0 ? `${words}: ${count(done)} of ${count(total)}` : words;
}

/** The part of the present phase that is done, 0 to 1; undefined where it is not known. */
export function progressFraction({ state, progress }: Job): number | undefined {
  if (state === "queued" || progress.total <= 0) return undefined;
  return Math.min(1, progress.done / progress.total);
}

/** Seconds between the start of the work and its end, or now; undefined before it has started, and while it is paused. */
export function elapsed({ state, started_at, finished_at }: Job, now: number): number | undefined {
  if (started_at === null || state === "paused") return undefined;
  const end = finished_at === null ? now : Date.parse(finished_at);
  return Math.max(0, (end - Date.parse(started_at)) / 1000);
}
