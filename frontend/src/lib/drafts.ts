// What is typed into a form and not sent yet, kept for as long as the browser's tab is open.

/** Where drafts are kept; the browser's `sessionStorage` is one. */
export type Store = Pick<Storage, "getItem" | "setItem" | "removeItem">;

/** Whether a value is of the same kind as another one; null stands for an empty field of any kind. */
const isAlike = (value: unknown, other: unknown): boolean =>
  value === null || other === null || (typeof value === typeof other && Array.isArray(value) === Array.isArray(other));

/**
 * A form that is kept in a store under a name. What another version of the page has written is taken over as far as it fits; where
 * the store refuses to keep anything, nothing is kept.
 */
export class Draft<T extends object> {
  readonly #store: Store;
  readonly #name: string;

  constructor(store: Store, name: string) {
    this.#store = store;
    this.#name = `eagleeye.${name}`;
  }

  /** What was kept, with what it lacks from an empty form; undefined where nothing was. */
  read(empty: T): T | undefined {
    try {
      const kept: unknown = JSON.parse(this.#store.getItem(this.#name) ?? "null");
      if (typeof kept !== "object" || kept === null) return undefined;
      const known = Object.entries(kept).filter(
        ([name, value]) => Object.hasOwn(empty, name) && isAlike(value, empty[name as keyof T]),
      );
      return { ...empty, ...(Object.fromEntries(known) as Partial<T>) };
    } catch {
      return undefined;
    }
  }

  write(form: T): void {
    try {
      this.#store.setItem(this.#name, JSON.stringify(form));
    } catch {
      // Full, or forbidden: the form works without.
    }
  }

  clear(): void {
    try {
      this.#store.removeItem(this.#name);
    } catch {
      // Forbidden.
    }
  }
}
