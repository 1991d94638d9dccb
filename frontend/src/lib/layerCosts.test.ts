import { describe, expect, it } from "vitest";

import type { ChannelGroup, Layer } from "../api/types";
import { networkCost } from "./layerCosts";

const layer = (name: string, macs: number): Layer => ({ name, operator: "conv2d", shape: [1, 1], macs, parameters: 1 });

function group(name: string, size: number, members: [string, number][], prunable = true): ChannelGroup {
  const reason = prunable ? null : "an output of the network";
  return {
    name,
    size,
    prunable,
    reason,
    normalised_by: null,
    members: members.map(([parameter, axis]) => ({ parameter, axis })),
    computed: [],
  };
}

/** A stem, a depthwise convolution, a pointwise one and a classifier. */
const model = {
  layers: [layer("stem", 1000), layer("norm", 0), layer("depth", 800), layer("point", 4000), layer("fc", 400)],
  groups: [
    group("stem", 10, [
      ["stem.weight", 0],
      ["norm.weight", 0],
      ["depth.weight", 0],
      ["point.weight", 1],
    ]),
    group("point", 20, [
      ["point.weight", 0],
      ["fc.weight", 1],
    ]),
    group("fc", 4, [["fc.weight", 0]], false),
  ],
};
const groups = [
  { group: "stem", size: 10, kept: 5 },
  { group: "point", size: 20, kept: 10 },
];

describe("networkCost", () => {
  it("multiplies the shares of output and input channels", () => {
    const { layers, isExact } = networkCost(model, { groups, macs: 500 + 400 + 1000 + 200 });
    expect(layers.map(({ kept }) => kept)).toEqual([500, 400, 1000, 200]);
    expect(isExact).toBe(true);
  });

  it("counts each layer once, with the group of its outputs", () => {
    const found = networkCost(model, { groups, macs: 2100 }).groups;
    expect(found.map(({ group: name, full, keptMacs }) => [name, full, keptMacs])).toEqual([
      ["stem", 1800, 900],
      ["point", 4000, 1000],
      ["fc", 400, 200],
    ]);
    expect(found[0]?.layers.map(({ name }) => name)).toEqual(["stem", "depth"]);
    expect(found[2]).toMatchObject({ isPrunable: false, size: 4, kept: 4 });
  });

  it("says where the layers do not add up to the candidate's MACs", () => {
    expect(networkCost(model, { groups, macs: 2101 }).isExact).toBe(false);
    expect(networkCost({ ...model, layers: [] }, { groups, macs: 0 }).isExact).toBe(false);
  });

  it("adds the groups whose channels are concatenated", () => {
    const joined = {
      layers: [layer("a", 100), layer("b", 300), layer("c", 800)],
      groups: [
        group("a", 4, [
          ["a.weight", 0],
          ["c.weight", 1],
        ]),
        group("b", 12, [
          ["b.weight", 0],
          ["c.weight", 1],
        ]),
      ],
    };
    const kept = [
      { group: "a", size: 4, kept: 2 },
      { group: "b", size: 12, kept: 6 },
    ];
    expect(networkCost(joined, { groups: kept, macs: 50 + 150 + 400 }).isExact).toBe(true);
  });

  it("names layers without a group, and groups without a layer", () => {
    const { groups: found } = networkCost(
      { layers: [layer("alone", 10)], groups: [] },
      { groups: [{ group: "elsewhere", size: 8, kept: 3 }], macs: 10 },
    );
    expect(found.map(({ group: name, kept, size }) => [name, kept, size])).toEqual([
      [undefined, 0, 0],
      ["elsewhere", 3, 8],
    ]);
  });
});
