// Looking for names in a list that is loaded page by page: in all of it, so that the rest is loaded first.

import { text } from "./codecs";
import type { PagedList } from "./pagedList.svelte";
import { SettlingParam } from "./viewParam.svelte";
import { hasWords } from "./words";

export class NameSearch<T extends { id: string; name: string }> {
  readonly #list: PagedList<T>;
  readonly #words = new SettlingParam("words", text);

  constructor(list: PagedList<T>) {
    this.#list = list;
  }

  /** What is typed, which the address says. */
  get words(): string {
    return this.#words.value ?? "";
  }

  set words(words: string) {
    this.#words.value = words || undefined;
  }

  get isActive(): boolean {
    return this.words.trim() !== "";
  }

  /** Whether nothing is left that has not been looked through. */
  get isComplete(): boolean {
    return !this.#list.hasMore;
  }

  /** What has been found so far; without words, all that is loaded. */
  readonly found = $derived.by(() => this.only(this.#list.items ?? []));

  /** Those whose names have all the words. */
  only(items: readonly T[]): T[] {
    return items.filter(({ name }) => hasWords(name, this.words));
  }

  /**
   * Loads another page while words are looked for and pages are left; as an effect, one after the other. Where one cannot be had, it
   * goes on when the list has been looked at again.
   */
  readOn(): void {
    const { hasMore, isLoadingMore, problem } = this.#list;
    if (this.isActive && hasMore && !isLoadingMore && !problem) void this.#list.more();
  }

  /** Writes nothing more into the address. */
  stop(): void {
    this.#words.stop();
  }
}
