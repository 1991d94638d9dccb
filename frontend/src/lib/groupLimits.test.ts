import { describe, expect, it } from "vitest";

import type { ChannelGroup } from "../api/types";
import {
  arePercentages,
  chosenLimits,
  groupLimitsText,
  limitsCsv,
  limitsSummary,
  parseGroupLimits,
  searched,
  unitsKept,
} from "./groupLimits";

describe("parseGroupLimits", () => {
  it("leaves a group alone that is named, and keeps the part that is said", () => {
    expect(parseGroupLimits("conv1, layer1.*=50%, fc = 12.5")).toEqual([
      { group: "conv1", keep: 1 },
      { group: "layer1.*", keep: 0.5 },
      { group: "fc", keep: 0.125 },
    ]);
  });

  it("takes an empty field as no limit", () => {
    expect(parseGroupLimits("  ")).toEqual([]);
    expect(parseGroupLimits("conv1,")).toEqual([{ group: "conv1", keep: 1 }]);
  });

  it("refuses what is no percentage, and a part of nothing", () => {
    for (const text of ["conv1=half", "conv1=101", "=50%", "conv1=", "conv1=-1"]) {
      expect(parseGroupLimits(text)).toBeUndefined();
    }
  });
});

it("reads back as it was written", () => {
  const text = "conv1, layer1.*=12.5%";
  expect(groupLimitsText(parseGroupLimits(text) ?? [])).toBe(text);
});

describe("the table", () => {
  it("leaves alone and keeps in part what is chosen; nothing is no limit", () => {
    expect(chosenLimits({ conv1: 100, fc: 12.5, none: 0, empty: null })).toEqual([
      { group: "conv1", keep: 1 },
      { group: "fc", keep: 0.125 },
    ]);
  });

  it("takes percentages", () => {
    expect(arePercentages({ a: 0, b: 100, c: null })).toBe(true);
    for (const wrong of [-1, 100.5, NaN]) expect(arePercentages({ a: wrong })).toBe(false);
  });

  it("says how many units stay at least", () => {
    expect([unitsKept(16, 50), unitsKept(10, 33), unitsKept(100, 1.1)]).toEqual([8, 4, 2]);
  });

  it("is saved with the groups that have no limit", () => {
    const group = (name: string, size: number) => ({ name, size }) as ChannelGroup;
    expect(limitsCsv([group("conv1", 16), group("fc", 10), group("a,b", 8)], { conv1: 100, fc: 33 })).toBe(
      ["group,units,keep_at_least_percent,keep_at_least_units", "conv1,16,100,16", "fc,10,33,4", '"a,b",8,,', ""].join(
        "\r\n",
      ),
    );
  });

  it("finds groups by their name or a parameter's, among those that can be pruned", () => {
    const group = (name: string, parameter: string, prunable = true) =>
      ({ name, prunable, members: [{ parameter, axis: 0 }] }) as ChannelGroup;
    const groups = [group("conv1", "bn1.weight"), group("layer1.0", "layer1.0.bn.weight"), group("fc", "fc", false)];
    const found = (text: string) => searched(groups, text).map(({ name }) => name);
    expect([found(" "), found("BN1"), found("layer1"), found("fc")]).toEqual([
      ["conv1", "layer1.0"],
      ["conv1"],
      ["layer1.0"],
      [],
    ]);
  });
});

it("sums up limits in words", () => {
  const summary = (text: string) => limitsSummary(parseGroupLimits(text) ?? []);
  expect([summary(""), summary("a"), summary("a, b=50%"), summary("b=50%, c=1")]).toEqual([
    "",
    "1 group left alone",
    "1 group left alone, 1 kept in part",
    "2 groups kept in part",
  ]);
});
