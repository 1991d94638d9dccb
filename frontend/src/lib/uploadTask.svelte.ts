// An upload that a form has started.

import { problemOf } from "../api/problem";
import type { Problem } from "../api/types";
import { upload, UploadAborted, type UploadProgress } from "../api/upload";

export class UploadTask<T> {
  /** How far it is; undefined while none runs. */
  progress = $state.raw<UploadProgress>();
  problem = $state.raw<Problem>();
  #abort: AbortController | undefined;

  readonly #collection: "models" | "datasets";

  constructor(collection: "models" | "datasets") {
    this.#collection = collection;
  }

  /** Uploads; the result is undefined when it was refused (then `problem` says why) or stopped. */
  async run(parts: FormData): Promise<T | undefined> {
    this.#abort = new AbortController();
    this.problem = undefined;
    this.progress = { phase: "sending", sent: 0, total: 0 };
    try {
      return await upload<T>(this.#collection, parts, (progress) => (this.progress = progress), this.#abort.signal);
    } catch (error) {
      if (!(error instanceof UploadAborted)) this.problem = problemOf(error);
      return undefined;
    } finally {
      this.progress = undefined;
    }
  }

  stop(): void {
    this.#abort?.abort();
  }
}
