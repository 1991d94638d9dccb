// The searches and candidates that are compared, as they come: page by page, and some thousands in the end.

import { getCandidate, getModel, getSearch, listCandidateRows } from "../api/client";
import { problemOf } from "../api/problem";
import type { Problem, Search } from "../api/types";
import { inShort } from "./candidates";
import { networkOf, originOf, retitled, rowOf, type Network, type Row } from "./compare";
import { isFinal } from "./jobs";
import { distinctTitles, titleOf, type Titled } from "./searches";

/**
 * Rows are shown so often while they come, in milliseconds: each time every view is drawn again. Of so many rows more that takes as much
 * longer.
 */
const PERIOD = 400;
const ROWS = 2_000;

/** A search, of which all candidates are compared or those that were picked one by one. */
export interface LoadedSearch {
  id: string;
  /** As in all views; undefined before the search is there. */
  title: string | undefined;
  search: Search | undefined;
  network: Network | undefined;
  /** Whether all of its candidates are there. */
  isComplete: boolean;
  problem: Problem | undefined;
}

interface Entry extends Omit<LoadedSearch, "title"> {
  rows: Row[];
}

export class CompareData {
  /** Everything that was picked, candidates after searches. */
  rows = $state.raw<readonly Row[]>([]);
  searches = $state.raw<readonly LoadedSearch[]>([]);
  /** Picked candidates that cannot be had, with the reason. */
  missing = $state.raw<ReadonlyMap<string, Problem>>(new Map());

  #wanted: readonly string[] = [];
  #picked: readonly string[] = [];
  readonly #entries = new Map<string, Entry>();
  readonly #candidates = new Map<string, Row>();
  readonly #problems = new Map<string, Problem>();
  /** What is on its way or there, so that nothing is loaded twice. */
  readonly #requested = new Set<string>();
  readonly #searches = new Map<string, Promise<Search>>();
  readonly #networks = new Map<string, Promise<Network>>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Says what is compared now; what has been loaded before is kept. */
  want(searches: readonly string[], candidates: readonly string[]): void {
    [this.#wanted, this.#picked] = [searches, candidates];
    for (const id of searches) this.#once(`search ${id}`, () => this.#loadSearch(id));
    for (const id of candidates) this.#once(`candidate ${id}`, () => this.#loadCandidate(id));
    this.#publish();
  }

  /** Loads everything again, as for a search that went on meanwhile. */
  reload(): void {
    for (const store of [this.#requested, this.#searches, this.#problems]) store.clear();
    for (const entry of this.#entries.values()) entry.problem = undefined;
    this.want(this.#wanted, this.#picked);
  }

  /** Loads what goes on meanwhile again: searches that had not ended when all of their candidates were there. */
  async follow(): Promise<void> {
    const running = this.#wanted.filter((id) => isRunning(this.#entries.get(id)));
    for (const id of running) this.#searches.delete(id);
    await Promise.all(running.map((id) => this.#loadSearch(id)));
    if (running.length > 0) this.#publishSoon();
  }

  stop(): void {
    clearTimeout(this.#timer);
    [this.#wanted, this.#picked] = [[], []];
  }

  #once(key: string, load: () => Promise<void>): void {
    if (this.#requested.has(key)) return;
    this.#requested.add(key);
    void load().finally(() => this.#publishSoon());
  }

  async #loadSearch(id: string): Promise<void> {
    const entry = this.#entries.get(id) ?? {
      ...{ id, search: undefined, network: undefined, problem: undefined },
      ...{ isComplete: false, rows: [] },
    };
    this.#entries.set(id, entry);
    try {
      entry.search = await this.#search(id);
      entry.network = await this.#network(entry.search.model_id);
      const origin = originOf(entry.search, entry.network);
      const rows: Row[] = [];
      let cursor: string | undefined;
      do {
        const page = await listCandidateRows(id, cursor);
        for (const candidate of page.items) rows.push(rowOf(candidate, origin));
        // What was there before a reload stays until there is more.
        if (rows.length >= entry.rows.length) entry.rows = rows;
        cursor = page.next_cursor ?? undefined;
        this.#publishSoon();
      } while (cursor !== undefined && this.#wanted.includes(id));
      entry.isComplete = cursor === undefined;
      entry.problem = undefined;
      // One that was taken away half-way goes on when it is picked again.
      if (!entry.isComplete) this.#requested.delete(`search ${id}`);
    } catch (error) {
      entry.problem = problemOf(error);
    }
  }

  async #loadCandidate(id: string): Promise<void> {
    try {
      const candidate = await getCandidate(id);
      const search = await this.#search(candidate.search_id);
      this.#candidates.set(id, rowOf(inShort(candidate), originOf(search, await this.#network(search.model_id))));
    } catch (error) {
      this.#problems.set(id, problemOf(error));
    }
  }

  #search(id: string): Promise<Search> {
    return kept(this.#searches, id, () => getSearch(id));
  }

  #network(id: string): Promise<Network> {
    return kept(this.#networks, id, async () => networkOf(await getModel(id)));
  }

  #publishSoon(): void {
    this.#timer ??= setTimeout(() => this.#publish(), PERIOD * (1 + this.rows.length / ROWS));
  }

  #publish(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const entries = this.#wanted.flatMap((id) => this.#entries.get(id) ?? []);
    const rows = entries.flatMap((entry) => entry.rows);
    const known = new Set(rows.map(({ id }) => id));
    rows.push(...this.#picked.flatMap((id) => (known.has(id) ? [] : (this.#candidates.get(id) ?? []))));
    const titles = distinctTitles([...entries.flatMap(titledOf), ...rows.map(({ origin }) => origin)]);
    this.rows = retitled(rows, titles);
    this.searches = entries.map(({ id, search, network, isComplete, problem }) => ({
      ...{ id, title: titles.get(id), search, network, isComplete, problem },
    }));
    this.missing = new Map([...this.#problems].filter(([id]) => this.#picked.includes(id)));
  }
}

/** Whether more is to come of a search of which everything is there that there was. */
const isRunning = (entry: Entry | undefined): boolean =>
  entry?.search !== undefined && entry.isComplete && !isFinal(entry.search.state);

/** What a search is called before it has rows; nothing where it is not there yet. */
const titledOf = ({ id, search, network }: Entry): Titled[] =>
  search ? [{ id, title: titleOf(search, network?.name), createdAt: search.created_at }] : [];

/** What is under a key, or what is being made for it; a failure is forgotten. */
function kept<T>(store: Map<string, Promise<T>>, key: string, make: () => Promise<T>): Promise<T> {
  const known = store.get(key);
  if (known) return known;
  const made = make();
  store.set(key, made);
  made.catch(() => store.delete(key));
  return made;
}
