// The queue as the page shows it: what can be moved where.

import type { QueuedJob } from "../api/types";

/** The jobs that somebody has paused. */
export const paused = (jobs: readonly QueuedJob[]): QueuedJob[] => jobs.filter(({ is_paused }) => is_paused);

/** The jobs that workers are at. */
export const atWork = (jobs: readonly QueuedJob[]): QueuedJob[] =>
  jobs.filter(({ position, is_paused }) => position === null && !is_paused);

/** The jobs that wait, in order. */
export const waiting = (jobs: readonly QueuedJob[]): QueuedJob[] => jobs.filter(({ position }) => position !== null);

/** Before which job one has to go to be done one place earlier; undefined for the first. */
export function earlier(jobs: readonly QueuedJob[], id: string): string | undefined {
  const line = waiting(jobs);
  return line[line.findIndex((job) => job.id === id) - 1]?.id;
}

/** Before which job one has to go to be done one place later, null for the end; undefined for the last, which is there. */
export function later(jobs: readonly QueuedJob[], id: string): string | null | undefined {
  const line = waiting(jobs);
  const place = line.findIndex((job) => job.id === id);
  if (place < 0 || place === line.length - 1) return undefined;
  return line[place + 2]?.id ?? null;
}
