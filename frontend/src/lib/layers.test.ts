import { expect, it } from "vitest";

import type { ChannelGroup, Layer } from "../api/types";
import { groupsOfLayers, sortedLayers } from "./layers";

const layer = (name: string, operator = "conv2d", macs = 0, parameters = 0): Layer => ({
  ...{ name, operator, macs, parameters, shape: [1, 8, 4, 4] },
});

const group = (name: string, ...members: [string, number][]): ChannelGroup => ({
  ...{ name, size: 8, prunable: true, reason: null, normalised_by: null, computed: [] },
  members: members.map(([parameter, axis]) => ({ parameter, axis })),
});

it("finds whose channels a layer makes, and not whose it reads", () => {
  const layers = [
    layer("a"),
    layer("a_bn", "batch_norm"),
    layer("b"),
    layer("up", "conv_transpose2d"),
    layer("Conv_1"),
  ];
  const groups = [
    group("a", ["a.weight", 0], ["a_bn.weight", 0], ["b.weight", 1]),
    group("b", ["b.weight", 0], ["up.weight", 0]),
    group("up", ["up.weight", 1]),
  ];
  const found = groupsOfLayers(layers, groups);
  expect([...found].map(([name, { name: of }]) => [name, of])).toEqual([
    ["a", "a"],
    ["a_bn", "a"],
    ["b", "b"],
    ["up", "up"],
  ]);
  const said = groupsOfLayers(layers, groups, [{ name: "Conv_1", groups: ["up"] }]);
  expect(said.get("Conv_1")?.name, "the graph knows better than names").toBe("up");
});

it("lists layers as they are executed, or the largest first", () => {
  const layers = [layer("a", "conv2d", 5, 1), layer("b", "conv2d", 9, 3), layer("c", "linear", 1, 2)];
  const names = (by: Parameters<typeof sortedLayers>[1]): string =>
    sortedLayers(layers, by)
      .map(({ name }) => name)
      .join("");
  expect([names("order"), names("macs"), names("parameters")]).toEqual(["abc", "bac", "bca"]);
});
