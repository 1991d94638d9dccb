import { expect, it } from "vitest";

import { inWords, labelOf } from "./fieldLabels";

it("calls fields by their labels", () => {
  expect(labelOf("round_to")).toBe("Round to multiples of");
  expect([labelOf("macs"), labelOf("budgets.0.macs"), labelOf("budgets")]).toEqual(["Budget", "Budget 2", "Budgets"]);
  expect(labelOf("body.unheard_of")).toBe("body.unheard_of");
});

it("puts labels in place of paths in a sentence, and leaves everyday words alone", () => {
  expect(inWords("with round_to 8 and min_keep_ratio 0.1 nothing can be pruned")).toBe(
    "With “Round to multiples of” 8 and “Minimum share kept” 0.1 nothing can be pruned",
  );
  expect(inWords("macs is 2; the images and their labels have a name")).toBe(
    "“Budget” is 2; the images and their labels have a name",
  );
  expect(inWords("must be at most `batch_size`, and `epochs` at least 1")).toBe(
    "Must be at most “Batch size”, and `epochs` at least 1",
  );
  expect(inWords("preprocessing.mean must be a list of numbers")).toBe("“Mean” must be a list of numbers");
});
