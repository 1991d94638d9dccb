import { expect, it } from "vitest";

import { halfWidth, wilson } from "./intervals";

it("gives the intervals that scipy gives", () => {
  // scipy.stats.binomtest(hits, images).proportion_ci(method="wilson"), as in the server's own tests.
  const cases = [
    [930, 1000, 0.9124853518487166, 0.944223635853706],
    [51, 64, 0.6828636426898583, 0.8772658218081634],
    [0, 10, 0, 0.27753279986288926],
    [10, 10, 0.7224672001371109, 1],
  ] as const;
  for (const [hits, images, low, high] of cases) {
    const interval = wilson(hits / images, images);
    expect(interval.low).toBeCloseTo(low, 12);
    expect(interval.high).toBeCloseTo(high, 12);
  }
  expect(wilson(0.5, 0)).toEqual({ low: 0, high: 1 });
  expect(halfWidth({ low: 0.5, high: 0.7 })).toBeCloseTo(0.1, 12);
});
