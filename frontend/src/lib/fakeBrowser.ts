// Stands for what tests need of a browser: its storage and its locks.

/** A storage: its keys are properties. */
export function fakeStorage(entries: Record<string, string> = {}): Storage {
  const made: Record<string, unknown> = { ...entries };
  Object.defineProperties(made, {
    getItem: { value: (key: string) => made[key] ?? null },
    setItem: { value: (key: string, value: string) => void (made[key] = value) },
    removeItem: { value: (key: string) => void delete made[key] },
  });
  return made as unknown as Storage;
}

/** The locks of all tabs. */
export class FakeLocks {
  readonly #held = new Map<string, Promise<unknown>>();

  async query(): Promise<LockManagerSnapshot> {
    return { held: [...this.#held.keys()].map((name) => ({ name })) };
  }

  async request<T>(
    name: string,
    { signal, ifAvailable }: LockOptions,
    work: (lock: Lock | null) => T | Promise<T>,
  ): Promise<T> {
    if (ifAvailable && this.#held.has(name)) return work(null);
    const stopped = new Promise<void>((stop) => signal?.addEventListener("abort", () => stop()));
    while (this.#held.has(name)) {
      await Promise.race([this.#held.get(name), stopped]);
      signal?.throwIfAborted();
    }
    const done = Promise.resolve(work({ name, mode: "exclusive" }));
    this.#held.set(
      name,
      done.catch(() => undefined),
    );
    return done.finally(() => this.#held.delete(name));
  }
}
