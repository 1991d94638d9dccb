import { describe, expect, it } from "vitest";

import type { Strategy } from "../api/types";
import { dataset, form, macs } from "./searchForm.fixtures";
import { askedBudgets, hasFront, imagePlan, isByHand, mostCandidates, references } from "./searchPlan";

const known: Strategy[] = [
  { name: "random", summary: "Draws.", most: null },
  { name: "uniform", summary: "One fraction.", most: 1 },
  { name: "evolutionary", summary: "Breeds.", most: null },
  { name: "manual", summary: "By hand.", most: null },
];

describe("budgets", () => {
  it("are the single ones and those of the range, each once, in the server's order", () => {
    const range = { measure: "macs", from: 70, to: 30, steps: 3 } as const;
    expect(askedBudgets(form({ budgets: macs(50, null, 20), range }))).toEqual([
      { macs: 0.5 },
      { macs: 0.2 },
      { macs: 0.7 },
      { macs: 0.3 },
    ]);
  });

  it("are rounded to four places in a range", () => {
    const range = { measure: "bytes", from: 100, to: 1, steps: 4 } as const;
    expect(askedBudgets(form({ budgets: [], range })).map(({ bytes }) => bytes)).toEqual([1, 0.67, 0.34, 0.01]);
    const thirds = { ...range, to: 99, steps: 4 };
    expect(askedBudgets(form({ budgets: [], range: thirds })).map(({ bytes }) => bytes)).toEqual([
      1, 0.9967, 0.9933, 0.99,
    ]);
  });
});

describe("candidates", () => {
  it("are those of each strategy under each budget", () => {
    const both = form({ strategies: ["random", "uniform"], budgets: macs(50, 30), candidates: 10 });
    expect(mostCandidates(both, known)).toBe(22);
    expect(mostCandidates(form({ candidates: null }), known)).toBeUndefined();
    expect(mostCandidates(form({ strategies: [] }), known)).toBeUndefined();
  });

  it("are counted once for a front, and as written by hand", () => {
    const written = [{ groups: { conv1: 8 } }, { groups: { conv1: 16 } }];
    const mixed = form({
      strategies: ["evolutionary", "manual"],
      budgets: macs(50, 30),
      candidates: 10,
      manual: written,
    });
    expect(mostCandidates(mixed, known)).toBe(22);
    expect(mostCandidates({ ...mixed, front: true }, known)).toBe(12);
    expect([hasFront(mixed), hasFront({ ...mixed, front: true }), isByHand(mixed)]).toEqual([false, true, false]);
  });

  it("come with a uniform reference under each budget, unless it is asked for anyway, or left out", () => {
    const two = form({ budgets: macs(50, 30) });
    expect(references(two)).toBe(2);
    expect(references({ ...two, strategies: ["uniform"] })).toBe(0);
    expect(references({ ...two, uniformReference: false })).toBe(0);
  });
});

describe("images", () => {
  it("are divided as the server does, with what is left over for the test", () => {
    expect(imagePlan(form(), dataset)).toEqual({ calibration: 1000, scoring: 1500, test: 2000, unused: 5000 });
    expect(imagePlan(form({ scoringImages: 8000 }), dataset)).toMatchObject({ test: 500, unused: 0 });
    expect(imagePlan(form({ testImages: 0 }), dataset)).toMatchObject({ test: 0, unused: 7000 });
    expect(imagePlan(form({ scoringImages: 9000 }), dataset)).toBeUndefined();
    expect(imagePlan(form({ scoringImages: null }), dataset)).toBeUndefined();
  });
});
