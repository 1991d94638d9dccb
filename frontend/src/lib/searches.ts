// What a search is called, and how long it will take.

import type { JobState, Search } from "../api/types";
import { budgetsText } from "./budgets";
import { isFinal } from "./jobs";

/** What to call a search that has no name. */
export function titleOf({ name, budgets }: Pick<Search, "name" | "budgets">, model: string | undefined): string {
  const budget = budgets.length > 0 ? `at ${budgetsText(budgets)}` : "with keep counts by hand";
  return name ?? `${model ?? "Search"} ${budget}`;
}

/** What tells a search from others of the same title. */
export interface Titled {
  id: string;
  title: string;
  createdAt: string;
}

/** Titles of searches by their ids, each once: those that are the same are numbered in the order in which they were made. */
export function distinctTitles(searches: Iterable<Titled>): Map<string, string> {
  const inOrder = [...new Map([...searches].map((search) => [search.id, search])).values()].sort(
    (a, b) => Date.parse(a.createdAt) - Date.parse(b.createdAt) || (a.id < b.id ? -1 : 1),
  );
  const same = new Map<string, Titled[]>();
  for (const search of inOrder) same.set(search.title, [...(same.get(search.title) ?? []), search]);
  // A name may end like a number that is given here: that number is passed over.
  const taken = new Set(same.keys());
  const titles = new Map<string, string>();
  for (const [title, own] of same) {
    let number = 0;
    for (const { id } of own) {
      let distinct = title;
      while (own.length > 1 && taken.has(distinct)) distinct = `${title} (${(number += 1)})`;
      taken.add(distinct);
      titles.set(id, distinct);
    }
  }
  return titles;
}

/** What to call searches of which the ids are known, by those. A search that cannot be had has no title. */
export async function titlesOf(
  ids: readonly string[],
  search: (id: string) => Promise<Search>,
  model: (id: string) => Promise<{ name: string }>,
): Promise<Map<string, string>> {
  const title = async (id: string): Promise<[string, string][]> => {
    try {
      const found = await search(id);
      const subject = found.name === null ? await model(found.model_id).catch(() => undefined) : undefined;
      return [[id, titleOf(found, subject?.name)]];
    } catch {
      return [];
    }
  };
  return new Map((await Promise.all(ids.map(title))).flat());
}

/** The phase in which candidates are evaluated, as the server names it. */
const CANDIDATES = "candidates";

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

/** What to call the candidate that leads: only a search that has succeeded has a best one. */
export function bestWord(state: JobState): string {
  if (state === "succeeded") return "best";
  return isFinal(state) ? "best scored" : "best so far";
}
