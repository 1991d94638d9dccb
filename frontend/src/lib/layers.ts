// The layers of a model: whose channels they make, and in which order they are listed.

import type { ChannelGroup, Layer } from "../api/types";
import { mainGroup, type NetworkNode } from "./networkGraph";

/** What layers are ordered by: `order` is that of their execution, all others begin with the largest. */
export const LAYER_SORTS = ["order", "parameters", "macs"] as const;
export type LayerSort = (typeof LAYER_SORTS)[number];

export const sortedLayers = (layers: readonly Layer[], by: LayerSort): readonly Layer[] =>
  by === "order" ? layers : layers.toSorted((a, b) => b[by] - a[by]);

/** The axis of a layer's weight that its output channels are on. */
const outputAxis = ({ operator }: Layer): number => (operator.includes("transpose") ? 1 : 0);

/**
 * The channel group of each layer's output, by the layer's name: as the graph of the network says, and without one by the name of its
 * weight; none where that is another than the layer's.
 */
export function groupsOfLayers(
  layers: readonly Layer[],
  groups: readonly ChannelGroup[],
  nodes: readonly Pick<NetworkNode, "name" | "groups">[] = [],
): Map<string, ChannelGroup> {
  const byMember = new Map(
    groups.flatMap((group) =>
      group.members.map(({ parameter, axis }): [string, ChannelGroup] => [`${parameter} ${axis}`, group]),
    ),
  );
  const byName = new Map(groups.map((group) => [group.name, group]));
  const ofNode = new Map(nodes.map((node) => [node.name, byName.get(mainGroup(node) ?? "")]));
  const found = new Map<string, ChannelGroup>();
  for (const layer of layers) {
    const group = ofNode.get(layer.name) ?? byMember.get(`${layer.name}.weight ${outputAxis(layer)}`);
    if (group) found.set(layer.name, group);
  }
  return found;
}
