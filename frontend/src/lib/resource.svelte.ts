// A thing that is loaded from the server: not there yet, there, or not to be had.

import { problemOf } from "../api/problem";
import type { Problem } from "../api/types";

export class Resource<T> {
  value = $state.raw<T>();
  problem = $state.raw<Problem>();
  /** Counts loads, so that a late answer to an earlier one changes nothing. */
  #latest = 0;

  /** Loads it. What was there stays until the new one has come. */
  async load(request: () => Promise<T>): Promise<void> {
    const mine = ++this.#latest;
    try {
      const value = await request();
      if (mine !== this.#latest) return;
      this.value = value;
      this.problem = undefined;
    } catch (error) {
      if (mine === this.#latest) this.problem = problemOf(error);
    }
  }
}
