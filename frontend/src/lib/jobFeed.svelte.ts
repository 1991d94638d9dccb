// A job as it goes on: its state and its parts, live.

import { getSearch, getTuning, searchEvents, tuningEvents } from "../api/client";
import { follow, type EventStream } from "../api/events";
import { ApiError, problemOf } from "../api/problem";
import type { CandidateRow, Epoch, JobState, Problem, Search, Tuning } from "../api/types";
import { isFinal } from "./jobs";

/** Wait before asking again after a refusal: doubled each time, up to the largest. Milliseconds. */
const FIRST_WAIT = 1_000;
const LONGEST_WAIT = 15_000;

/** Where a job and its parts come from. */
interface Source<Job, Part> {
  get(): Promise<Job>;
  events: EventStream;
  /** What tells one part from another. */
  keyOf(part: Part): string | number;
}

export class JobFeed<Job extends { state: JobState }, Part> {
  job = $state.raw<Job>();
  /** All parts so far, in the order in which they came. */
  parts = $state.raw<Part[]>([]);
  /** Whether all parts that there were at first have come. */
  isLoaded = $state(false);
  /** Whether changes come in; false while the connection is being made again. */
  isConnected = $state(true);
  /** Why the job cannot be shown. */
  problem = $state.raw<Problem>();

  readonly #source: Source<Job, Part>;
  readonly #byKey = new Map<string | number, Part>();
  #isStopped = false;
  #stopFollowing = (): void => {};
  #timer: ReturnType<typeof setTimeout> | undefined;
  #wait = FIRST_WAIT;

  constructor(source: Source<Job, Part>) {
    this.#source = source;
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

  /** Takes over a job that another request answered with. */
  update(job: Job): void {
    // A late answer must not bring an ended job back to life.
    if (!this.job || !isFinal(this.job.state)) this.job = job;
  }

  /** Takes over a part of what another request answered with. The rest may have gone on since the answer was made. */
  amend(change: Partial<Job>): void {
    if (this.job) this.job = { ...this.job, ...change };
  }

  /** Follows a job that has been taken up again after its end. */
  restart(job: Job): void {
    this.job = job;
    this.#stopFollowing();
    void this.#open();
  }

  /** An event stream cannot say why it is refused, so the job itself is asked for first. */
  async #open(): Promise<void> {
    try {
      this.job = await this.#source.get();
    } catch (error) {
      if (this.#isStopped) return;
      const isGone = error instanceof ApiError && error.problem.status >= 400 && error.problem.status < 500;
      if (isGone || !this.job) this.problem = problemOf(error);
      if (!isGone) this.#openLater();
      return;
    }
    if (this.#isStopped) return;
    this.problem = undefined;
    this.#stopFollowing = follow<Job, Part>(this.#source.events, {
      onJob: (job) => {
        this.job = job;
        this.isLoaded = true;
      },
      onParts: (parts) => this.#add(parts),
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

  #add(parts: Part[]): void {
    for (const part of parts) this.#byKey.set(this.#source.keyOf(part), part);
    this.parts = [...this.#byKey.values()];
  }
}

/** A search with its candidates. */
export const searchFeed = (id: string): JobFeed<Search, CandidateRow> =>
  new JobFeed({ get: () => getSearch(id), events: searchEvents(id), keyOf: (candidate) => candidate.id });

/** A tuning with its epochs. */
export const tuningFeed = (id: string): JobFeed<Tuning, Epoch> =>
  new JobFeed({ get: () => getTuning(id), events: tuningEvents(id), keyOf: (epoch) => epoch.epoch });
