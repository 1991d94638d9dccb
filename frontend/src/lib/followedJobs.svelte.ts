// The jobs whose ends somebody wants to be told of. All tabs of the browser know the same ones, and a reload forgets none.

const KEY = "eagleeye.followed";

/** A job, and what to call it. */
export interface FollowedJob {
  kind: "search" | "tuning";
  id: string;
  title: string;
}

/** As storages of the browser are. */
type Kept = Pick<Storage, "getItem" | "setItem" | "removeItem">;

export class FollowedJobs {
  #all = $state.raw<readonly FollowedJob[]>([]);
  /** Undefined in a browser that keeps nothing; what is followed is known until the page is left. */
  readonly #storage: Kept | undefined;

  constructor(storage: Kept | undefined) {
    this.#storage = storage;
    this.look();
  }

  get all(): readonly FollowedJob[] {
    return this.#all;
  }

  has(id: string): boolean {
    return this.#all.some((job) => job.id === id);
  }

  add(job: FollowedJob): void {
    this.look();
    this.#keep([...this.#all.filter(({ id }) => id !== job.id), job]);
  }

  /** Whether it was there: of several that take it out, one is told so. */
  remove(id: string): boolean {
    this.look();
    if (!this.has(id)) return false;
    this.#keep(this.#all.filter((job) => job.id !== id));
    return true;
  }

  /** Looks what other tabs have changed. */
  look(): void {
    if (this.#storage) this.#all = read(this.#storage.getItem(KEY));
  }

  #keep(jobs: readonly FollowedJob[]): void {
    this.#all = jobs;
    if (jobs.length > 0) this.#storage?.setItem(KEY, JSON.stringify(jobs));
    else this.#storage?.removeItem(KEY);
  }
}

/** What another version has written is left out where it cannot be read. */
function read(text: string | null): FollowedJob[] {
  try {
    const found: unknown = JSON.parse(text ?? "[]");
    return Array.isArray(found) ? found.filter(isJob) : [];
  } catch {
    return [];
  }
}

function isJob(value: unknown): value is FollowedJob {
  const { kind, id, title } = (value ?? {}) as Partial<Record<keyof FollowedJob, unknown>>;
  return (kind === "search" || kind === "tuning") && typeof id === "string" && typeof title === "string";
}

/** A browser that keeps nothing has no storage, and says so by an error. */
function stored(): Storage | undefined {
  try {
    return window.localStorage;
  } catch {
    return undefined;
  }
}

/** The one list of this page. */
export const followedJobs = new FollowedJobs(typeof window === "undefined" ? undefined : stored());
