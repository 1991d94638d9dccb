// Files that were dropped or chosen on any page, on their way to the form that uploads them.

import { offersOf, type Chosen } from "./chosenFiles";
import { kindOf } from "./fileKinds";
import type { Collection } from "./uploads.svelte";

export class OfferedFiles {
  /** What files may become on another page than the one that is shown: whether to go there is for a person to say. */
  offers = $state.raw<readonly Chosen[]>([]);
  /** Why files that were dropped make no upload. */
  refusal = $state("");
  #handed = $state.raw<Chosen>();

  /** Takes files that were dropped: what belongs to the page goes to its form, and all else is offered. */
  async drop(files: readonly File[], page: Collection | undefined): Promise<void> {
    const offers = await lookedAt(files, page);
    this.clear();
    if (typeof offers === "string") this.refusal = offers;
    else if (offers[0]?.collection === page) this.#handed = offers[0];
    else this.offers = offers;
  }

  /** Looks at files from a file field: those of another page are offered to it, all others are left where they are. */
  async consider(files: readonly File[], page: Collection): Promise<void> {
    const offers = await lookedAt(files, page);
    this.clear();
    if (typeof offers !== "string" && offers[0]?.collection !== page) this.offers = offers;
  }

  /** Takes an offer, for the page on which the files make sense. */
  accept(chosen: Chosen): void {
    this.clear();
    this.#handed = chosen;
  }

  /** The files that are for the page of a collection, once. */
  takeOver<C extends Collection>(collection: C): Extract<Chosen, { collection: C }> | undefined {
    const chosen = this.#handed;
    if (chosen?.collection !== collection) return undefined;
    this.#handed = undefined;
    return chosen as Extract<Chosen, { collection: C }>;
  }

  /** Says no more of files that were dropped. */
  clear(): void {
    this.offers = [];
    this.refusal = "";
  }
}

async function lookedAt(files: readonly File[], page: Collection | undefined): Promise<Chosen[] | string> {
  const known = await Promise.all(files.map(async (file) => ({ file, kind: await kindOf(file) })));
  return offersOf(known, page);
}

/** The files of this site. */
export const offeredFiles = new OfferedFiles();
