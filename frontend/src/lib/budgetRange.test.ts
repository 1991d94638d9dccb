import { expect, it } from "vitest";

import { inPercent, rangeErrors, rangeFields, rangeFractions, toRange, usualRange } from "./budgetRange";

it("goes through a request unchanged", () => {
  const range = { measure: "bytes", from: 0.011, to: 0.7, steps: 4 } as const;
  expect(toRange(rangeFields(range))).toEqual(range);
  expect(inPercent(0.07)).toBe(7);
});

it("has both ends, and nothing while a field is empty or wrong", () => {
  expect(rangeFractions(usualRange())).toEqual([0.7, 0.6, 0.5, 0.4, 0.3]);
  expect(rangeFractions({ ...usualRange(), steps: 1 })).toEqual([]);
  expect(rangeFractions(null)).toEqual([]);
});

it("says at each field what is wrong with it", () => {
  expect(rangeErrors(usualRange())).toEqual({});
  expect(rangeErrors({ measure: "macs", from: null, to: 120, steps: 2.5 })).toEqual({
    "budget_range.from": "Enter a number.",
    "budget_range.to": "Above 0 and at most 100.",
    "budget_range.steps": "Enter a whole number.",
  });
  expect(rangeErrors({ ...usualRange(), steps: 33 })).toEqual({ "budget_range.steps": "From 2 to 32." });
  expect(rangeErrors({ ...usualRange(), to: 70 })["budget_range.to"]).toContain("the same");
});
