import { expect, it } from "vitest";

import type { TuningResult } from "../api/types";
import { aScore } from "./fixtures";
import { obstacle, searchNotice, tuningNotice } from "./notice";

it("says how a search ended", () => {
  expect(searchNotice({ state: "succeeded" }, "A", 0.924)).toEqual([
    "Search succeeded",
    "A. The best candidate has a top-1 of 92.40%.",
  ]);
  expect(searchNotice({ state: "failed" }, "A", undefined)[1]).toBe("A. No candidate was scored.");
});

it("says how a fine-tuning ended", () => {
  const result = { validation: aScore(0.9312) } as TuningResult;
  expect(tuningNotice({ state: "succeeded", result }, "A")).toEqual([
    "Fine-tuning succeeded",
    "A. Its top-1 is 93.12%.",
  ]);
  expect(tuningNotice({ state: "cancelled", result: null }, "A")).toEqual(["Fine-tuning cancelled", "A."]);
});

it("says what stands in the way of notifications", () => {
  expect(obstacle("granted")).toBe("");
  expect(obstacle("unsupported")).toContain("HTTPS");
});
