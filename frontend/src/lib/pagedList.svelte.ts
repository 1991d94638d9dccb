// A list that is loaded page by page.

import { problemOf } from "../api/problem";
import type { Page, Problem } from "../api/types";
import { mergeFirstPage } from "./merge";

export class PagedList<T extends { id: string }> {
  #page = $state.raw<Page<T>>();
  problem = $state.raw<Problem>();
  isLoadingMore = $state(false);
  readonly #list: (cursor?: string) => Promise<Page<T>>;

  constructor(list: (cursor?: string) => Promise<Page<T>>) {
    this.#list = list;
  }

  /** The items so far; undefined before the first page has come. */
  get items(): T[] | undefined {
    return this.#page?.items;
  }

  get hasMore(): boolean {
    return this.#page !== undefined && this.#page.next_cursor !== null;
  }

  /** Loads the first page, or looks what has changed in it. */
  async refresh(): Promise<void> {
    await this.#attempt(async () => {
      const fresh = await this.#list();
      this.#page = this.#page ? mergeFirstPage(this.#page, fresh) : fresh;
    });
  }

  /** Loads the next page. */
  async more(): Promise<void> {
    const cursor = this.#page?.next_cursor;
    if (!cursor || this.isLoadingMore) return;
    this.isLoadingMore = true;
    await this.#attempt(async () => {
      const next = await this.#list(cursor);
      const known = new Set(next.items.map((item) => item.id));
      const before = (this.#page?.items ?? []).filter((item) => !known.has(item.id));
      this.#page = { items: [...before, ...next.items], next_cursor: next.next_cursor };
    });
    this.isLoadingMore = false;
  }

  async #attempt(load: () => Promise<void>): Promise<void> {
    try {
      await load();
      this.problem = undefined;
    } catch (error) {
      this.problem = problemOf(error);
    }
  }
}
