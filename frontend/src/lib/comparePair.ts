// Two candidates group by group and layer by layer.

import type { GroupKeep } from "../api/types";
import { ratio, type Row } from "./compare";
import { si } from "./format";
import { networkCost, type LayerCost, type NetworkCost } from "./layerCosts";

/** What a candidate keeps of each group. */
export const keptOf = ({ origin, kept }: Row): GroupKeep[] =>
  origin.network.groups.map(({ name, size }, group) => ({ group: name, size, kept: kept[group] ?? size }));

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

/** A layer that computes MACs. */
export interface PairedLayer {
  name: string;
  /** Units of its outputs; undefined where they are in no group. */
  units: { size: number; first: number; second: number } | undefined;
  full: number;
  first: number;
  second: number;
}

/** The layers of two candidates of one model, in its order; undefined where the MACs of its layers cannot be told. */
export function pairedLayers(first: Row, second: Row): PairedLayer[] | undefined {
  const { structure, id } = first.origin.network;
  if (id !== second.origin.network.id) return undefined;
  const costs = [first, second].map((row) => networkCost(structure, { groups: keptOf(row), macs: row.macs }));
  const [one, other] = costs as [NetworkCost, NetworkCost];
  if (!one.isExact || !other.isExact) return undefined;
  const [units, otherUnits] = [unitsOf(one), unitsOf(other)];
  return one.layers.map((layer, place) => {
    const beside = other.layers[place] as LayerCost;
    const [own, others] = [units.get(layer), otherUnits.get(beside)];
    return {
      name: layer.name,
      units: own && others && { size: own.size, first: own.kept, second: others.kept },
      full: layer.full,
      first: layer.kept,
      second: beside.kept,
    };
  });
}

/** Units of the outputs of each layer. */
const unitsOf = ({ groups }: NetworkCost): Map<LayerCost, { size: number; kept: number }> =>
  new Map(
    groups.flatMap(({ size, kept, layers }) =>
      size > 0 ? layers.map((layer): [LayerCost, { size: number; kept: number }] => [layer, { size, kept }]) : [],
    ),
  );

/** How many MACs more or fewer: `+1.20 M`, `−340 k`. */
export function macsDifference(first: number, second: number): string {
  const difference = second - first;
  return difference === 0 ? "0" : `${difference > 0 ? "+" : "−"}${si(Math.abs(difference))}`;
}

/** The selection after a press on a candidate: at most two, of which the one that came first makes room. */
export const toggled = (selected: readonly string[], id: string): string[] =>
  selected.includes(id) ? selected.filter((other) => other !== id) : [...selected, id].slice(-2);
