import { describe, expect, it } from "vitest";

import { nearest, paddedDomain, percentLabels, roundStep, stepBy, tickLabels } from "./scales";

describe("paddedDomain", () => {
  it("leaves room on both sides, but not beyond the limits", () => {
    expect(paddedDomain([0.4, 0.8], 0.1, [0, 1])).toEqual([expect.closeTo(0.36), expect.closeTo(0.84)]);
    expect(paddedDomain([0.01, 0.99], 0.1, [0, 1])).toEqual([0, 1]);
  });

  it("has a width for one value and for none", () => {
    const [low, high] = paddedDomain([8e6], 0.1, [0, Infinity]);
    expect(low).toBeLessThan(8e6);
    expect(high).toBeGreaterThan(8e6);
    expect(paddedDomain([], 0.1, [0, 1])).toEqual([0, 1]);
    expect(paddedDomain([0], 0.1, [0, 1])).toEqual([0, 0.1]);
  });
});

describe("percentLabels", () => {
  it("has as many decimals as tell ticks apart", () => {
    expect(percentLabels([0.1, 0.2, 0.3])).toEqual(["10%", "20%", "30%"]);
    expect(percentLabels([0.69, 0.7, 0.71])).toEqual(["69%", "70%", "71%"]);
    expect(percentLabels([0.692, 0.694])).toEqual(["69.2%", "69.4%"]);
    expect(percentLabels([0.6925, 0.693])).toEqual(["69.25%", "69.30%"]);
    expect(percentLabels([0.5])).toEqual(["50%"]);
  });
});

describe("tickLabels", () => {
  it("tells ticks that are close together apart", () => {
    expect(tickLabels([8_115_000, 8_120_000, 8_125_000])).toEqual(["8.115 M", "8.120 M", "8.125 M"]);
    expect(tickLabels([7_900_000, 8_000_000])).toEqual(["7.9 M", "8.0 M"]);
  });

  it("uses one prefix for all", () => {
    expect(tickLabels([0, 500, 1000])).toEqual(["0.0 k", "0.5 k", "1.0 k"]);
    expect(tickLabels([0, 20, 40])).toEqual(["0", "20", "40"]);
    expect(tickLabels([2e9])).toEqual(["2 G"]);
    expect(tickLabels([-0.02, 0, 0.02])).toEqual(["−0.02", "0.00", "0.02"]);
    expect(tickLabels([])).toEqual([]);
  });
});

it("rounds a step up to one that reads well", () => {
  expect([0, 0.3, 1, 1.1, 2, 4, 6, 10, 51, 700].map(roundStep)).toEqual([1, 1, 1, 2, 2, 5, 10, 10, 100, 1000]);
});

describe("nearest", () => {
  const spots = [
    { x: 0, y: 0 },
    { x: 10, y: 0 },
  ];

  it("finds the closest spot within reach", () => {
    expect(nearest(spots, { x: 6, y: 1 }, 20)).toBe(1);
    expect(nearest(spots, { x: 4, y: 1 }, 20)).toBe(0);
    expect(nearest(spots, { x: 50, y: 0 }, 20)).toBe(-1);
    expect(nearest([], { x: 0, y: 0 }, 20)).toBe(-1);
  });
});

describe("stepBy", () => {
  it("goes along the row and stops at its ends", () => {
    expect(stepBy("ArrowRight", 1, 5)).toBe(2);
    expect(stepBy("ArrowRight", 4, 5)).toBe(4);
    expect(stepBy("ArrowLeft", 0, 5)).toBe(0);
    expect([stepBy("Home", 3, 5), stepBy("End", 3, 5)]).toEqual([0, 4]);
  });

  it("begins at an end where nothing is active yet", () => {
    expect([stepBy("ArrowRight", -1, 5), stepBy("ArrowLeft", -1, 5)]).toEqual([0, 0]);
  });

  it("leaves other keys, and empty rows, alone", () => {
    expect([stepBy("a", 0, 5), stepBy("toString", 0, 5), stepBy("End", -1, 0)]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });
});
