import { describe, expect, it } from "vitest";

import { paretoFront, stepCorners } from "./pareto";

const at = (x: number, y: number) => ({ x, y });

describe("the Pareto front", () => {
  it("keeps what costs less than all that is better", () => {
    const points = [at(3, 0.9), at(1, 0.5), at(2, 0.4), at(2, 0.7), at(4, 0.9)];
    expect(paretoFront(points)).toEqual([at(1, 0.5), at(2, 0.7), at(3, 0.9)]);
  });

  it("keeps the first of equals, and nothing of nothing", () => {
    const [first, second] = [at(1, 0.5), at(1, 0.5)];
    expect(paretoFront([first, second])).toEqual([first]);
    expect(paretoFront([first, second])[0]).toBe(first);
    expect(paretoFront([])).toEqual([]);
  });

  it("goes up only where the next point is", () => {
    expect(stepCorners([at(1, 0.5), at(2, 0.7)])).toEqual([at(1, 0.5), at(2, 0.5), at(2, 0.7)]);
    expect(stepCorners([])).toEqual([]);
  });
});
