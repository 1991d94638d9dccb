// How long a search is likely to take, from one of the same model and dataset that has been evaluated already.

import type { Candidate, Search } from "../api/types";
import type { SearchForm } from "./searchForm";

/** What evaluations of another search took. */
export interface Experience {
  search: Search;
  /** Candidates that were looked at. */
  candidates: number;
  /** Seconds that a candidate took, all its evaluations on calibration and scoring images together. */
  seconds: number;
}

type Wanted = Pick<SearchForm, "modelId" | "datasetId" | "racing">;

/**
 * The search to judge by: the newest that has succeeded with the same model and dataset, preferably one that raced as the new one
 * will. What goes on still, or failed, may have been slow for reasons of its own.
 */
export function comparable(searches: readonly Search[], { modelId, datasetId, racing }: Wanted): Search | undefined {
  const alike = searches.filter(
    ({ state, model_id, dataset_id }) => state === "succeeded" && model_id === modelId && dataset_id === datasetId,
  );
  return alike.find(({ request }) => (request.racing ?? true) === racing);
}

/** Evaluations that every candidate has; repairs and trainings are for the best ones only. */
const EVERY = ["adapted", "unadapted"];

/** Seconds that the evaluations of a candidate took; those of old candidates were not measured apart. */
function evaluationSeconds({ evaluations, seconds }: Candidate): number {
  const all = evaluations.filter(({ kind, image_set }) => EVERY.includes(kind) && image_set === "scoring");
  return Math.max(
    seconds,
    all.reduce((sum, evaluation) => sum + evaluation.seconds, 0),
  );
}

/** What some candidates of a search, probes among them, say about the time that one takes. */
export function experience(search: Search, candidates: readonly Candidate[]): Experience | undefined {
  if (candidates.length === 0) return undefined;
  const total = candidates.reduce((sum, candidate) => sum + evaluationSeconds(candidate), 0);
  return { search, candidates: candidates.length, seconds: total / candidates.length };
}

/** Images that pass through a candidate's network when it is evaluated on all of them. */
const passes = (calibration: number, scoring: number): number => calibration + scoring;

export interface Expectation {
  seconds: number;
  /** Whether the other search used as many images; if not, the time is scaled to them. */
  isScaled: boolean;
}

/** Seconds that so many candidates take on these images, at the pace of another search. */
export function expectation(
  { search, seconds }: Experience,
  evaluations: number,
  images: { calibration: number; scoring: number },
): Expectation {
  const before = passes(search.request.calibration_images, search.request.scoring_images);
  const now = passes(images.calibration, images.scoring);
  return { seconds: (seconds * evaluations * now) / before, isScaled: now !== before };
}
