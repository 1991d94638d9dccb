import { expect, it } from "vitest";

import type { Strategy } from "../api/types";
import { offered, strategyCost, strategySentence, strategyTitle } from "./strategies";

const strategy = (name: string, most: number | null = null): Strategy => ({ name, summary: "One. Two.", most });
const asked = { candidates: 48, budgets: 2, front: false, written: 0 };

it("is offered unless it needs keep counts that are not there", () => {
  const names = (written: number) => offered([strategy("random"), strategy("manual")], written).map(({ name }) => name);
  expect([names(0), names(1)]).toEqual([["random"], ["random", "manual"]]);
});

it("goes by the server's own words where the page has none", () => {
  const unheard = strategy("unheard_of");
  expect([strategyTitle("unheard_of"), strategySentence(unheard)]).toEqual(["unheard_of", "One."]);
  expect(strategyTitle("random")).toBe("At random");
});

it("costs as many evaluations as it may propose, for each budget", () => {
  expect(strategyCost(strategy("random"), asked)).toBe("At most 48 evaluations for each of 2 budgets.");
  expect(strategyCost(strategy("global_magnitude", 12), { ...asked, budgets: 1 })).toBe("At most 12 evaluations.");
  expect(strategyCost(strategy("uniform", 1), asked)).toContain("1 evaluation for each of 2 budgets.");
  expect(strategyCost(strategy("random"), { ...asked, candidates: null })).toBe("–");
  expect(strategyCost(strategy("manual"), { ...asked, written: 3 })).toContain("3 evaluations, with no regard");
});

it("has a front in one go where it can", () => {
  const front = { ...asked, front: true };
  expect(strategyCost(strategy("evolutionary"), front)).toBe("At most 48 evaluations for the whole front.");
  expect(strategyCost(strategy("random"), front)).toContain("for each of 2 budgets");
});
