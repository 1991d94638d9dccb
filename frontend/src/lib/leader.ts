// The best candidate of a search, or the best so far.

import { getCandidate, leadingCandidate } from "../api/client";
import type { Candidate, Search } from "../api/types";

type Led = Pick<Search, "id" | "state" | "budgets" | "best_candidate_id">;

/** Null where none has been scored yet. A search says which has won once it has. */
export async function leaderOf(search: Led): Promise<Candidate | null> {
  const { best_candidate_id: best, state } = search;
  if (best !== null) return getCandidate(best);
  return state === "queued" ? null : ((await leadingCandidate(search)) ?? null);
}
