import { expect, it } from "vitest";

import { budgetsText, budgetText, originBudget } from "./budgets";

it("says a budget with what it limits", () => {
  expect(budgetText({ macs: 0.5 })).toBe("50% of MACs");
  expect(budgetText({ parameters: 0.5, latency: 0.6 })).toBe("50% of parameters and 60% of latency");
  expect(budgetText({ macs: 0.125, bytes: 0.3 })).toBe("12.5% of MACs and 30% of bytes");
});

it("says several budgets of one measure in a row, and others each with its own", () => {
  expect(budgetsText([{ macs: 0.5 }])).toBe("50% of MACs");
  expect(budgetsText([{ macs: 0.7 }, { macs: 0.5 }, { macs: 0.3 }])).toBe("70%, 50% and 30% of MACs");
  expect(budgetsText([{ macs: 0.5 }, { parameters: 0.3 }])).toBe("50% of MACs; 30% of parameters");
  expect(budgetsText([{ macs: 0.5 }, { macs: 0.3, bytes: 0.4 }])).toBe("50% of MACs; 30% of MACs and 40% of bytes");
  expect(budgetsText([])).toBe("");
});

it("names the budget that a candidate is for", () => {
  const budgets = [{ macs: 0.5 }, { bytes: 0.3 }];
  expect([originBudget(budgets, 1), originBudget(budgets, null)]).toEqual(["30% of bytes", "no budget"]);
});
