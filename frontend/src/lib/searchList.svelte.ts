// All searches, live, with the leader of each, which is read when it is needed.

import { all, getSearch, listSearches } from "../api/client";
import { ApiError, problemOf } from "../api/problem";
import type { Candidate, Problem, Search } from "../api/types";
import { isFinal } from "./jobs";
import { leaderOf } from "./leader";
import { mergeFirstPage } from "./merge";

/** Searches on a page when they are looked at again. */
const PAGE = 100;

/** Leaders that are read at the same time. */
const TOGETHER = 6;

/** Milliseconds in which answers are gathered before the page shows them: thousands one by one would be sorted each time. */
const GATHERED = 250;

export class SearchList {
  #items = $state.raw<Search[]>();
  #leaders = $state.raw<ReadonlyMap<string, Candidate | null>>(new Map());
  problem = $state.raw<Problem>();
  /** What a leader was read of; while a search goes on, another one may lead. */
  readonly #readAt = new Map<string, string>();
  #queue: Search[] = [];
  #readers = 0;
  #gathered = new Map<string, Candidate | null>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Called when nothing is left to be read. */
  #waiting: (() => void)[] = [];

  /** Every search; undefined before the first answer. */
  get items(): Search[] | undefined {
    return this.#items;
  }

  /** By the search's id; null where nothing has been scored. */
  get leaders(): ReadonlyMap<string, Candidate | null> {
    return this.#leaders;
  }

  /** Reads all pages, or looks what has changed: on the first page, and of what goes on further down. */
  async refresh(): Promise<void> {
    try {
      this.#items = this.#items ? await this.#changed(this.#items) : await all(listSearches);
      this.problem = undefined;
    } catch (error) {
      this.problem = problemOf(error);
    }
  }

  async #changed(known: Search[]): Promise<Search[]> {
    const fresh = await listSearches(undefined, PAGE);
    const isFresh = new Set(fresh.items.map(({ id }) => id));
    const further = known.filter(({ id, state }) => !isFresh.has(id) && !isFinal(state));
    const merged = mergeFirstPage({ items: known, next_cursor: null }, fresh);
    // More are new than a page has.
    if (merged === fresh && fresh.next_cursor !== null) return all(listSearches);
    const isSame = !merged.items.some((search, place) => !isAsBefore(search, known[place]));
    if (isSame && merged.items.length === known.length && further.length === 0) return known;
    const again = new Map(await Promise.all(further.map(async ({ id }) => [id, await found(id)] as const)));
    return merged.items.flatMap((search) => (again.has(search.id) ? (again.get(search.id) ?? []) : search));
  }

  /** Reads the leaders of these searches that are not known yet, or not as they are now. */
  cover(searches: readonly Search[]): void {
    const wanted = searches.filter((search) => this.#readAt.get(search.id) !== version(search));
    if (wanted.length === 0) return;
    const queued = new Set(wanted.map(({ id }) => id));
    // What is asked for last is in sight now, and comes first.
    this.#queue = [...wanted, ...this.#queue.filter(({ id }) => !queued.has(id))];
    for (const search of wanted) this.#readAt.set(search.id, version(search));
    while (this.#readers < Math.min(TOGETHER, this.#queue.length + this.#readers)) void this.#read();
  }

  /** Reads the leaders of all of these; resolves when every one has been asked for. */
  read(searches: readonly Search[]): Promise<void> {
    this.cover(searches);
    if (this.#readers === 0) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #show(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#leaders = new Map([...this.#leaders, ...this.#gathered]);
    this.#gathered.clear();
  }

  async #read(): Promise<void> {
    this.#readers += 1;
    let search: Search | undefined;
    while ((search = this.#queue.shift())) {
      const { id } = search;
      try {
        this.#gathered.set(id, await leaderOf(search));
        this.#timer ??= setTimeout(() => this.#show(), GATHERED);
      } catch {
        // The row is complete without it; the next look tries again.
        this.#readAt.delete(id);
      }
    }
    this.#readers -= 1;
    if (this.#readers > 0) return;
    this.#show();
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

/** The same objects stay where nothing has changed, so that nothing is sorted and drawn again. */
const isAsBefore = (search: Search, known: Search | undefined): boolean =>
  search === known || (search.id === known?.id && JSON.stringify(search) === JSON.stringify(known));

/** Changes when another candidate may lead. */
const version = ({ state, progress, best_candidate_id }: Search): string =>
  isFinal(state) ? `${state}/${best_candidate_id}` : `${state}/${progress.phase}/${progress.done}`;

/** Undefined for one that has been deleted. */
async function found(id: string): Promise<Search | undefined> {
  try {
    return await getSearch(id);
  } catch (error) {
    if (error instanceof ApiError && error.isNotFound) return undefined;
    throw error;
  }
}
