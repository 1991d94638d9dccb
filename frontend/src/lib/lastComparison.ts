// The comparison that this tab had last, to which a candidate can be added from elsewhere.

import { Draft, type Store } from "./drafts";

export interface Comparison {
  searches: readonly string[];
  candidates: readonly string[];
  /** What the others are measured against; null for the full network. */
  baseline: string | null;
}

const NOTHING: Comparison = { searches: [], candidates: [], baseline: null };

const draft = (store: Store): Draft<Comparison> => new Draft(store, "comparison");

export const remember = (comparison: Comparison, store: Store = sessionStorage): void => draft(store).write(comparison);

/** The address of that comparison with one more candidate, which is selected, so that it is found among the others. */
export function addressWith(candidate: { id: string; searchId: string }, store: Store = sessionStorage): string {
  const { searches, candidates, baseline } = draft(store).read(NOTHING) ?? NOTHING;
  const isThere = searches.includes(candidate.searchId) || candidates.includes(candidate.id);
  const query = new URLSearchParams({
    searches: searches.join(),
    candidates: [...candidates, ...(isThere ? [] : [candidate.id])].join(),
    baseline: baseline ?? "",
    selected: candidate.id,
  });
  for (const [name, value] of [...query]) if (value === "") query.delete(name);
  return `/compare?${query}`;
}
