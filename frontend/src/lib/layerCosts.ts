// Where a candidate's MACs were saved: layer by layer, and by the channel group that a layer's outputs belong to.

import type { Candidate, ChannelGroup, Layer, Model } from "../api/types";

/** A layer that computes MACs, in the full network and in the candidate. */
export interface LayerCost {
  name: string;
  full: number;
  kept: number;
}

/** A channel group with the layers whose outputs it has. */
export interface GroupCost {
  /** Undefined for layers whose outputs are in no group. */
  group: string | undefined;
  isPrunable: boolean;
  /** Units; 0 where there is no group. */
  size: number;
  kept: number;
  layers: LayerCost[];
  full: number;
  keptMacs: number;
}

export interface NetworkCost {
  /** In the order of the network. */
  groups: GroupCost[];
  layers: LayerCost[];
  /**
   * Whether the layers' MACs add up to the candidate's. They do not where a layer's weight does not tell its MACs by its
   * channels, or goes by another name than its layer; then no layer's MACs are to be shown.
   */
  isExact: boolean;
}

type Structure = Pick<Model, "layers" | "groups">;

const OUTPUTS = 0;
const INPUTS = 1;

/**
 * A layer's MACs fall in proportion to the output and input channels that are left of its weight: the model says which
 * groups have them, and the candidate what each group keeps.
 */
export function networkCost(model: Structure, candidate: Pick<Candidate, "groups" | "macs">): NetworkCost {
  const kept = new Map(candidate.groups.map((group) => [group.group, group.kept]));
  const keptOf = ({ name, size }: ChannelGroup): number => kept.get(name) ?? size;
  const byAxis = groupsByAxis(model.groups);

  const share = (layer: Layer, axis: number): number => {
    const groups = byAxis.get(`${layer.name}.weight/${axis}`) ?? [];
    const units = groups.reduce((sum, { size }) => sum + size, 0);
    return units > 0 ? groups.reduce((sum, group) => sum + keptOf(group), 0) / units : 1;
  };

  const found = new Map<string | undefined, GroupCost>();
  const layers: LayerCost[] = [];
  for (const layer of model.layers.filter(({ macs }) => macs > 0)) {
    const cost = {
      name: layer.name,
      full: layer.macs,
      kept: Math.round(layer.macs * share(layer, OUTPUTS) * share(layer, INPUTS)),
    };
    layers.push(cost);
    const group = byAxis.get(`${layer.name}.weight/${OUTPUTS}`)?.[0];
    const known = found.get(group?.name) ?? emptyGroup(group, group ? keptOf(group) : 0);
    known.layers.push(cost);
    known.full += cost.full;
    known.keptMacs += cost.kept;
    found.set(group?.name, known);
  }
  // What a candidate keeps is said of every group, those without a layer of their own among them.
  for (const { group: name, size, kept: units } of candidate.groups) {
    if (found.has(name)) continue;
    const group = model.groups.find((known) => known.name === name);
    found.set(name, { ...emptyGroup(group, units), group: name, isPrunable: group?.prunable ?? true, size });
  }
  const total = layers.reduce((sum, layer) => sum + layer.kept, 0);
  return { groups: [...found.values()], layers, isExact: layers.length > 0 && total === candidate.macs };
}

const emptyGroup = (group: ChannelGroup | undefined, kept: number): GroupCost => ({
  group: group?.name,
  isPrunable: group?.prunable ?? false,
  size: group?.size ?? 0,
  kept,
  layers: [],
  full: 0,
  keptMacs: 0,
});

/** The groups that have channels of a tensor on an axis, by `tensor/axis`. */
function groupsByAxis(groups: readonly ChannelGroup[]): Map<string, ChannelGroup[]> {
  const found = new Map<string, ChannelGroup[]>();
  for (const group of groups) {
    const members = [
      ...group.members.map(({ parameter, axis }) => `${parameter}/${axis}`),
      ...group.computed.map(({ weight, axis }) => `${weight}/${axis}`),
    ];
    for (const member of new Set(members)) found.set(member, [...(found.get(member) ?? []), group]);
  }
  return found;
}
