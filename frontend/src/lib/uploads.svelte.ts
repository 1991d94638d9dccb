// Uploads. They belong to no page, so that one can go elsewhere on the site while they run.

import { problemOf } from "../api/problem";
import type { Problem } from "../api/types";
import { upload, type UploadProgress } from "../api/upload";

/** Where an upload goes. */
export type Collection = "models" | "datasets";

/** What has become of an upload, as far as links to it need to know. */
export interface Uploaded {
  id: string;
  name: string;
}

const BEGIN: UploadProgress = { phase: "sending", sent: 0, total: 0 };

/** One upload, which may be tried again with the same files. */
export class Upload {
  state = $state<"running" | "done" | "failed" | "cancelled">("running");
  progress = $state.raw<UploadProgress>(BEGIN);
  /** Why it failed. */
  problem = $state.raw<Problem>();
  made = $state.raw<Uploaded>();
  readonly key: number;
  readonly collection: Collection;
  /** What to call it before it has a name: what was typed, or its file's name. */
  readonly label: string;
  readonly #parts: FormData;
  #abort = new AbortController();

  constructor(key: number, collection: Collection, label: string, parts: FormData) {
    this.key = key;
    this.collection = collection;
    this.label = label;
    this.#parts = parts;
  }

  /** Sends the files; the result is undefined where they were refused or it was cancelled. */
  async run(): Promise<Uploaded | undefined> {
    const abort = new AbortController();
    this.#abort = abort;
    this.state = "running";
    this.progress = BEGIN;
    this.problem = undefined;
    const note = (progress: UploadProgress): void => void (this.progress = progress);
    try {
      this.made = await upload<Uploaded>(this.collection, this.#parts, note, abort.signal);
      this.state = "done";
      return this.made;
    } catch (error) {
      if (abort.signal.aborted) this.state = "cancelled";
      else {
        this.problem = problemOf(error);
        this.state = "failed";
      }
      return undefined;
    }
  }

  /** Whether it is of a file. */
  has(name: string, bytes: number): boolean {
    return [...this.#parts.values()].some((part) => part instanceof File && part.name === name && part.size === bytes);
  }

  cancel(): void {
    this.#abort.abort();
  }
}

export class Uploads {
  #all = $state.raw<readonly Upload[]>([]);
  #next = 0;

  /** Oldest first; one that was cancelled is gone. */
  readonly all = $derived(this.#all.filter(({ state }) => state !== "cancelled"));
  readonly running = $derived(this.#all.filter(({ state }) => state === "running").length);
  readonly areRunning = $derived(this.running > 0);

  /** Begins an upload; `finished` is about this attempt, and about none that follows. */
  start(
    collection: Collection,
    label: string,
    parts: FormData,
  ): { upload: Upload; finished: Promise<Uploaded | undefined> } {
    const begun = new Upload(this.#next++, collection, label, parts);
    this.#all = [...this.#all.filter(({ state }) => state !== "cancelled"), begun];
    return { upload: begun, finished: begun.run() };
  }

  /** Takes one off the list that runs no more. */
  dismiss(gone: Upload): void {
    this.#all = this.#all.filter((one) => one !== gone);
  }
}

/** The uploads of this page, from when it was loaded. */
export const uploads = new Uploads();

/** What an upload is doing, in words. */
export function uploadText({ state, progress, problem }: Upload): string {
  if (state === "failed") return problem?.title ?? "Failed";
  if (state === "done") return "Uploaded";
  return PHASES[progress.phase];
}

const PHASES: Record<UploadProgress["phase"], string> = {
  waiting: "Waiting for another upload of this file",
  sending: "Uploading",
  checking: "Checking the files",
};

/** From 0 to 1; undefined where it is not known, as while the server checks. */
export const uploadFraction = ({ progress }: Upload): number | undefined =>
  progress.phase === "sending" ? (progress.total > 0 ? progress.sent / progress.total : 0) : undefined;
