import { describe, expect, it } from "vitest";

import { dragged, showing, within, zoomed } from "./zoom";

const WHOLE = [0, 100] as const;

describe("zoom", () => {
  it("keeps the value under the pointer where it is", () => {
    expect(zoomed([0, 100], WHOLE, 0.5, 20)).toEqual([10, 60]);
    expect(zoomed([10, 60], WHOLE, 0.5, 10)).toEqual([10, 35]);
  });

  it("ends at the whole, which it calls undefined", () => {
    expect(zoomed([10, 60], WHOLE, 2, 20)).toBeUndefined();
    expect(zoomed([60, 100], WHOLE, 2, 100)).toEqual([20, 100]);
    expect(within([-50, 200], WHOLE)).toBeUndefined();
  });

  it("moves a part of an old address into what there is now", () => {
    expect(within([150, 160], WHOLE)).toEqual([90, 100]);
    expect(within([-20, -10], WHOLE)).toEqual([0, 10]);
  });

  it("ends before values can no longer be told apart", () => {
    const [from, to] = zoomed([50, 50.1], WHOLE, 0.001, 50) ?? [0, 0];
    expect(to - from).toBeCloseTo(0.1);
  });

  it("moves only as far as a value needs that is not seen", () => {
    expect(showing([10, 20], WHOLE, 15)).toEqual([10, 20]);
    expect(showing([10, 20], WHOLE, 50)).toEqual([45, 55]);
    expect(showing([10, 20], WHOLE, 99)).toEqual([90, 100]);
  });

  it("takes a drag either way, and no click for one", () => {
    expect([dragged(30, 10, 5), dragged(10, 30, 5), dragged(10, 12, 5)]).toEqual([[10, 30], [10, 30], undefined]);
  });
});
