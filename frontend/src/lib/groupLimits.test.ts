import { describe, expect, it } from "vitest";

import { groupLimitsText, parseGroupLimits } from "./groupLimits";

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
