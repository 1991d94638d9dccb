// Two candidates group by group.

import { ratio, type Row } from "./compare";

export interface PairedGroup {
  name: string;
  size: number;
  first: number;
  second: number;
  /** Keep ratio of the second less that of the first. */
  difference: number;
}

/** The groups of two candidates of one model; undefined where they are of two. */
export function pairedGroups(first: Row, second: Row): PairedGroup[] | undefined {
  const { network } = first.origin;
  if (network.id !== second.origin.network.id) return undefined;
  return network.groups.map(({ name, size }, group) => ({
    name,
    size,
    first: first.kept[group] ?? size,
    second: second.kept[group] ?? size,
    difference: ratio(second, group) - ratio(first, group),
  }));
}

/** The selection after a press on a candidate: at most two, of which the one that came first makes room. */
export const toggled = (selected: readonly string[], id: string): string[] =>
  selected.includes(id) ? selected.filter((other) => other !== id) : [...selected, id].slice(-2);
