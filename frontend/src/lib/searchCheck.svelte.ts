// The check of a form that follows it while it is filled in: asked for after a pause, given up when the form changes.

import { problemOf } from "../api/problem";
import type { Precheck, Problem, SearchRequest } from "../api/types";

type Ask = (request: SearchRequest, signal: AbortSignal) => Promise<Precheck>;

/** Between the last change and the check, in milliseconds. */
const PAUSE = 700;
const LONGEST_PAUSE = 5000;

export class SearchCheck {
  value = $state.raw<Precheck>();
  problem = $state.raw<Problem>();
  isBusy = $state(false);
  /** The request, as text, that `value` or `problem` answers. */
  answered = $state.raw<string>();

  readonly #ask: Ask;
  /** The request that was followed last. */
  #wanted: string | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #running: AbortController | undefined;
  #pause = PAUSE;

  constructor(ask: Ask) {
    this.#ask = ask;
  }

  /** Checks a request after a pause, unless it is the one that was answered last; undefined gives up what is under way. */
  follow(request: string | undefined): void {
    if (request === this.#wanted) return;
    this.stop();
    this.#wanted = request;
    if (request !== undefined && request !== this.answered)
      this.#timer = setTimeout(() => void this.#run(request), this.#pause);
  }

  /** Checks a request at once, also if it was checked before. */
  now(request: string): void {
    this.stop();
    void this.#run(request);
  }

  /** Gives up what is under way; what was answered stays. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#running?.abort();
    this.#running = undefined;
    this.isBusy = false;
    this.#wanted = undefined;
  }

  async #run(request: string): Promise<void> {
    const running = new AbortController();
    this.#wanted = request;
    this.#running = running;
    this.isBusy = true;
    const began = performance.now();
    const answer = await this.#answer(request, running.signal);
    if (running !== this.#running) return;
    this.value = answer.value;
    this.problem = answer.problem;
    this.answered = request;
    this.#running = undefined;
    this.isBusy = false;
    // What takes the server long is not asked for at every stroke of a key.
    this.#pause = Math.min(LONGEST_PAUSE, Math.max(PAUSE, (performance.now() - began) / 2));
  }

  async #answer(request: string, signal: AbortSignal): Promise<{ value?: Precheck; problem?: Problem }> {
    try {
      return { value: await this.#ask(JSON.parse(request) as SearchRequest, signal) };
    } catch (error) {
      return { problem: problemOf(error) };
    }
  }
}
