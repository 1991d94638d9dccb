// How good the best candidate of each strategy was after so many candidates, or so much time.

import type { CandidateRow } from "../api/types";
import { isReference } from "./candidates";

/** What the horizontal axis counts. */
export type Pace = "candidates" | "time";

/** A candidate that was better than all before it. */
export interface Step {
  candidate: CandidateRow;
  /** Candidates of its strategy so far, itself and probes included, or seconds since the start. */
  at: number;
}

export interface Course {
  strategy: string;
  steps: Step[];
  /** Where its last candidate is. */
  end: number;
}

export interface Courses {
  strategies: Course[];
  /** The uniform candidate, which every strategy is measured against. */
  reference: CandidateRow | undefined;
  end: number;
}

/**
 * The course of each strategy for one budget.
 *
 * Probes count, since they cost an evaluation, but cannot be the best. Nor can those that were scored on fewer images than
 * others, whose accuracies do not compare.
 *
 * @param since when the work began; time counts from the first candidate where that was before it, as after a retry
 */
export function bestSoFar(
  candidates: readonly CandidateRow[],
  budget: number | null,
  pace: Pace,
  since: string | null,
): Courses {
  const own = candidates.filter(({ origin }) => origin.budget === budget).sort((a, b) => a.index - b.index);
  const images = Math.max(0, ...own.filter(({ origin }) => !origin.is_probe).map((one) => one.scored_images));
  const times = own.map(({ created_at }) => Date.parse(created_at));
  const start = Math.min(since === null ? Infinity : Date.parse(since), ...times.slice(0, 1));
  const courses = new Map<string, Course>();
  const counts = new Map<string, number>();
  for (const [place, candidate] of own.entries()) {
    const { strategy, is_probe } = candidate.origin;
    if (isReference(candidate)) continue;
    const course = courses.get(strategy) ?? { strategy, steps: [], end: 0 };
    courses.set(strategy, course);
    const number = (counts.get(strategy) ?? 0) + 1;
    counts.set(strategy, number);
    const at = pace === "candidates" ? number : ((times[place] ?? start) - start) / 1000;
    course.end = Math.max(course.end, at);
    if (is_probe || candidate.scored_images < images) continue;
    const best = course.steps.at(-1)?.candidate;
    if (!best || candidate.score.top1 > best.score.top1) course.steps.push({ candidate, at });
  }
  const strategies = [...courses.values()];
  return {
    strategies,
    reference: own.find((candidate) => isReference(candidate) && candidate.scored_images === images),
    end: Math.max(0, ...strategies.map(({ end }) => end)),
  };
}
