import { describe, expect, it } from "vitest";

import type { TensorSummary } from "../api/types";
import { foundTensors, intervalLines, intervalsOf, outline, tensorLines } from "./tensors";

const tensor = (name: string, counts: number[], low = -1, high = 1): TensorSummary => ({
  ...{ name, layer: name.slice(0, name.lastIndexOf(".")), shape: [2, 3], not_finite: 0, zeros: 1, mean: 0.5 },
  ...{ deviation: 0.25, histogram: { low, high, counts } },
});

describe("tensors", () => {
  const all = [tensor("features.0.weight", [1, 3, 2]), tensor("features.1.running_mean", [6, 0, 0])];

  it("are found by name and by layer, whatever the case", () => {
    expect(foundTensors(all, " Running ").map(({ name }) => name)).toEqual(["features.1.running_mean"]);
    expect(foundTensors(all, "features.0").length).toBe(1);
    expect(foundTensors(all, " ").length).toBe(2);
  });

  it("have intervals between their smallest and largest value", () => {
    expect(intervalsOf(tensor("w", [5, 7], -1, 3))).toEqual([
      { from: -1, to: 1, values: 5 },
      { from: 1, to: 3, values: 7 },
    ]);
    expect(intervalsOf(tensor("alike", [7, 0, 0], 2.5, 2.5))).toEqual([{ from: 2.5, to: 2.5, values: 7 }]);
    expect(intervalLines(intervalsOf(tensor("w", [5, 7], -1, 3)))).toBe("from,to,values\r\n-1,1,5\r\n1,3,7\r\n");
  });

  it("are drawn as high as the fullest interval", () => {
    expect(outline(tensor("w", [1, 2]), 10, 8)).toBe("M0 8L0.0 4.0L5.0 4.0L5.0 0.0L10.0 0.0L10 8Z");
    expect(outline(tensor("w", [0, 0]), 10, 8)).not.toContain("NaN");
  });

  it("are saved with every interval", () => {
    const { header, lines } = tensorLines(all);
    expect(lines.every((line) => line.length === header.length)).toBe(true);
    expect(lines[0]?.slice(-3)).toEqual([1, 3, 2]);
  });
});
