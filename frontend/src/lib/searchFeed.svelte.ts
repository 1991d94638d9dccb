// A search as it goes on: its state and candidates, live.

import { getSearch } from "../api/client";
import { follow } from "../api/events";
import { ApiError, problemOf } from "../api/problem";
import type { Candidate, Problem, Search } from "../api/types";
import { isFinal } from "./searches";

/** Wait before asking again after a refusal: doubled each time, up to the largest. Milliseconds. */
const FIRST_WAIT = 1_000;
const LONGEST_WAIT = 15_000;

export class SearchFeed {
  search = $state.raw<Search>();
  /** All candidates so far, in no particular order. */
  candidates = $state.raw<Candidate[]>([]);
  /** Whether changes come in; false while the connection is being made again. */
  isConnected = $state(true);
  /** Why the search cannot be shown. */
  problem = $state.raw<Problem>();

  readonly #id: string;
  readonly #byId = new Map<string, Candidate>();
  #isStopped = false;
  #stopFollowing = (): void => {};
  #timer: ReturnType<typeof setTimeout> | undefined;
  #wait = FIRST_WAIT;

  constructor(id: string) {
    this.#id = id;
  }

  /** Begins to follow; the returned function ends it. */
  start(): () => void {
    void this.#open();
    return () => {
      this.#isStopped = true;
      this.#stopFollowing();
      clearTimeout(this.#timer);
    };
  }

  /** Takes over a search that another request answered with. */
  update(search: Search): void {
    // A late answer must not bring an ended search back to life.
    if (!this.search || !isFinal(this.search.state)) this.search = search;
  }

  /** Takes over the name that a search was given. The rest may have gone on since the answer was made. */
  rename({ name }: Search): void {
    if (this.search) this.search = { ...this.search, name };
  }

  /** Follows a search that has been taken up again after its end. */
  restart(search: Search): void {
    this.search = search;
    this.#stopFollowing();
    void this.#open();
  }

  /** An event stream cannot say why it is refused, so the search itself is asked for first. */
  async #open(): Promise<void> {
    try {
      this.search = await getSearch(this.#id);
    } catch (error) {
      if (this.#isStopped) return;
      const isGone = error instanceof ApiError && error.problem.status >= 400 && error.problem.status < 500;
      if (isGone || !this.search) this.problem = problemOf(error);
      if (!isGone) this.#openLater();
      return;
    }
    if (this.#isStopped) return;
    this.problem = undefined;
    this.#stopFollowing = follow(this.#id, {
      onSearch: (search) => (this.search = search),
      onCandidates: (candidates) => this.#add(candidates),
      onConnection: (isConnected) => {
        this.isConnected = isConnected;
        if (isConnected) this.#wait = FIRST_WAIT;
      },
      onRefused: () => this.#openLater(),
    });
  }

  #openLater(): void {
    this.isConnected = false;
    this.#timer = setTimeout(() => void this.#open(), this.#wait);
    this.#wait = Math.min(2 * this.#wait, LONGEST_WAIT);
  }

  #add(candidates: Candidate[]): void {
    for (const candidate of candidates) this.#byId.set(candidate.id, candidate);
    this.candidates = [...this.#byId.values()];
  }
}
