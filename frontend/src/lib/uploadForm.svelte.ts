// A form that starts an upload: what it shows of it, and where it leads when it is done.

import { fieldErrors } from "../api/problem";
import type { Problem } from "../api/types";
import { uploads, type Collection, type Upload } from "./uploads.svelte";

export class UploadForm {
  #upload = $state.raw<Upload>();
  problem = $state.raw<Problem>();
  readonly #collection: Collection;
  readonly #open: (address: string) => void;

  /** `open` goes to the page of what was uploaded. */
  constructor(collection: Collection, open: (address: string) => void) {
    this.#collection = collection;
    this.#open = open;
  }

  /** Whether what was started here is still on its way. */
  readonly isBusy = $derived(this.#upload !== undefined);
  readonly errors = $derived(fieldErrors(this.problem));

  /** Uploads; a refusal is shown in the form, whose fields are as they were, and nowhere else. */
  async start(label: string, parts: FormData): Promise<void> {
    this.problem = undefined;
    const { upload, finished } = uploads.start(this.#collection, label, parts);
    this.#upload = upload;
    const made = await finished;
    // Whoever has gone elsewhere or on to another upload hears of it from the list of uploads.
    if (this.#upload !== upload) return;
    this.#upload = undefined;
    uploads.dismiss(upload);
    this.problem = upload.problem;
    if (made) this.#open(`/${this.#collection}/${made.id}`);
  }

  /** Leaves the upload, which goes on, to the list of uploads. */
  readonly release = (): void => void (this.#upload = undefined);
}
