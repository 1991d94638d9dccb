import { describe, expect, it } from "vitest";

import type { Measure } from "../api/types";
import {
  fitted,
  impossibleLimits,
  limitField,
  limitHints,
  measuresFor,
  missingLimits,
  nearestBudget,
  nearestEnd,
  nextBudget,
  toLimits,
  type BudgetFields,
} from "./budgetFields";

const budget = (percentage: number | null, measure: Measure = "macs"): BudgetFields => [{ measure, percentage }];
const both = (macs: number, parameters: number): BudgetFields => [
  { measure: "macs", percentage: macs },
  { measure: "parameters", percentage: parameters },
];
const model = { reachable: { min: 0.123, max: 1 } };

describe("nearestBudget", () => {
  it("stays within reach, in whole percent where there is one", () => {
    expect([nearestBudget(50, model), nearestBudget(5, model)]).toEqual([50, 13]);
    expect(nearestBudget(100, { reachable: { min: 0.2, max: 0.904 } })).toBe(90);
    expect(nearestBudget(50, { reachable: { min: 0.401, max: 0.405 } })).toBeCloseTo(40.5);
  });

  it("is where limits on MACs go with another model, and no others", () => {
    expect(fitted([both(5, 5), budget(null)], model)).toEqual([both(13, 5), budget(50)]);
  });
});

it("proposes a further budget below the others, on what the first one limits", () => {
  const next = (...percentages: (number | null)[]) => nextBudget(percentages.map((one) => budget(one)))[0]?.percentage;
  expect([next(50), next(50, 35), next(20), next(null), next(1)]).toEqual([35, 20, 10, 85, 1]);
  expect(nextBudget([budget(40, "bytes"), budget(10)])).toEqual(budget(25, "bytes"));
  expect(nextBudget([budget(20)], model)).toEqual(budget(13));
});

it("offers each measure once in a budget", () => {
  expect(measuresFor(both(50, 50))).toEqual(["bytes", "latency"]);
  expect(measuresFor(both(50, 50), "macs")).toEqual(["macs", "bytes", "latency"]);
});

it("becomes the fractions of a request", () => {
  expect(toLimits(both(1.1, 30))).toEqual({ macs: 0.011, parameters: 0.3 });
});

describe("faults", () => {
  it("are named by the budget's place and by what is limited", () => {
    expect([limitField(0, "bytes"), limitField(2, "bytes")]).toEqual(["bytes", "budgets.1.bytes"]);
    expect(missingLimits([both(50, 30), budget(null), budget(null, "bytes")])).toEqual({
      "budgets.0.macs": "Enter a number.",
      "budgets.1.bytes": "Enter a number.",
    });
  });

  it("are what is no part of the whole, and MACs out of reach", () => {
    const budgets = [both(5, 5), budget(101, "bytes"), budget(0), budget(40)];
    expect(Object.keys(impossibleLimits(budgets))).toEqual(["budgets.0.bytes", "budgets.1.macs"]);
    const found = limitHints(budgets, model.reachable);
    expect(Object.keys(found)).toEqual(["macs", "budgets.1.macs"]);
    expect(found["macs"]).toContain("between 12.3% and 100.0%");
    expect(limitHints([both(5, 5)])).toEqual({});
  });
});

it("has a nearest budget within reach", () => {
  const range = { min: 0.12345, max: 0.987654 };
  expect([nearestEnd(5, range), nearestEnd(100, range)]).toEqual([12.4, 98.7]);
});
