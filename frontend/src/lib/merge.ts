// Keeping a list that was paged through up to date.

import type { Page } from "../api/types";

interface Item {
  id: string;
}

/**
 * Puts a fresh first page over a list that may have had more pages; both are ordered alike, newest first.
 *
 * Fresh items replace old ones, what is gone from the first page goes, and older items stay.
 */
export function mergeFirstPage<T extends Item>(known: Page<T>, fresh: Page<T>): Page<T> {
  const last = fresh.items.at(-1);
  if (fresh.next_cursor === null || last === undefined) return fresh;
  const seam = known.items.findIndex((item) => item.id === last.id);
  // The seam is missing when more than a page of items is new: the older ones come with "more" again.
  if (seam < 0 || seam === known.items.length - 1) return fresh;
  return { items: [...fresh.items, ...known.items.slice(seam + 1)], next_cursor: known.next_cursor };
}
