// Names of the models and datasets that searches use, which searches themselves have by id only.

import { listDatasets, listModels } from "../api/client";
import type { Search } from "../api/types";
import { namesOf } from "./names";

export class SearchNames {
  #known = $state.raw<ReadonlyMap<string, string>>(new Map());
  /** Ids that were looked up, with or without a name: none is asked for twice. Not reactive, so that an effect may ask. */
  readonly #asked = new Set<string>();

  /** Names by id. */
  get byId(): ReadonlyMap<string, string> {
    return this.#known;
  }

  /** Looks up the names that these searches need and that are not known yet. */
  async cover(searches: readonly Pick<Search, "model_id" | "dataset_id">[]): Promise<void> {
    const unknown = (id: string): boolean => !this.#asked.has(id);
    const models = searches.map((search) => search.model_id).filter(unknown);
    const datasets = searches.map((search) => search.dataset_id).filter(unknown);
    if (models.length + datasets.length === 0) return;
    for (const id of [...models, ...datasets]) this.#asked.add(id);
    try {
      const found = await Promise.all([namesOf(models, listModels), namesOf(datasets, listDatasets)]);
      this.#known = new Map([...this.#known, ...found.flatMap((names) => [...names])]);
    } catch {
      // The lists are complete without names; the next look tries again.
      for (const id of [...models, ...datasets]) this.#asked.delete(id);
    }
  }
}
