import { describe, expect, it } from "vitest";

import type { Problem } from "../api/types";
import { hints, impossible, missing, namedRange } from "./searchFaults";
import { emptyForm } from "./searchForm";
import { dataset, form, macs, model } from "./searchForm.fixtures";

describe("missing", () => {
  it("has nothing to say about a complete form", () => {
    expect(missing(form())).toEqual({});
  });

  it("names every field that cannot be sent", () => {
    const found = missing({ ...emptyForm(), budgets: macs(null, 30, null), batchSize: null });
    expect(Object.keys(found).sort()).toEqual([
      "batch_size",
      "budgets.1.macs",
      "calibration_images",
      "dataset_id",
      "macs",
      "model_id",
      "preprocessing.deviation",
      "preprocessing.mean",
      "scoring_images",
      "strategies",
    ]);
  });
});

describe("hints", () => {
  it("has none for a form that fits", () => {
    expect(hints(form(), model, dataset)).toEqual({});
  });

  it("names the reachable range, the images there are and the channels that are needed", () => {
    const found = hints(form({ budgets: macs(5), scoringImages: 9000, mean: "0, 0, 0" }), model, dataset);
    expect(found["macs"]).toContain("between 12.3% and 100.0%");
    expect(found["scoring_images"]).toContain("10,000 in total is more than the dataset's 9,500");
    expect(found["preprocessing.mean"]).toContain("1 channel,");
  });

  it("leaves the range to the server where the usual one does not hold", () => {
    for (const change of [{ minKeep: 1 }, { roundTo: 8 }, { groupKeeps: { conv1: 50 } }, { groupLimits: "conv1" }]) {
      expect(hints(form({ budgets: macs(5), ...change }), model, dataset)).toEqual({});
    }
  });

  it("counts test images to those that the dataset must have", () => {
    expect(hints(form({ testImages: 7001 }), model, dataset)["test_images"]).toContain("leave 7,000");
    expect(hints(form({ testImages: 7000 }), model, dataset)).toEqual({});
  });

  it("refuses colour for a grey network, and takes grey for a colour network", () => {
    const colour = { ...dataset, channels: 3 };
    expect(hints(form(), model, colour)["dataset_id"]).toContain("1 channel;");
    const three = form({ mean: "0,0,0", deviation: "1,1,1" });
    expect(hints(three, { ...model, input_shape: [1, 3, 32, 32] }, dataset)).toEqual({});
  });

  it("refuses labels that the network has no output for", () => {
    expect(hints(form(), { ...model, classes: 5 }, dataset)["dataset_id"]).toContain("up to 9");
  });
});

describe("ranges", () => {
  it("are said in the form's own units while typing", () => {
    const found = hints(form({ candidates: 1.5, minKeep: 130, batchSize: 0, batches: 0, seed: -1 }));
    expect(found).toEqual({
      candidates: "Enter a whole number.",
      min_keep_ratio: "From 0 to 100.",
      batch_size: "From 1 to 4,096.",
      "adaptation.batches": "At least 1, and no more than there are.",
      seed: "From 0 to 9,007,199,254,740,991.",
    });
    expect(hints(form(), model, dataset)).toEqual({});
  });
});

describe("what no server takes", () => {
  it("is said at its field, whatever the model is", () => {
    const wrong = form({
      budgets: macs(0, 101),
      range: { measure: "macs", from: 30, to: 30, steps: 3 },
      calibrationImages: 2 ** 32,
      mode: "momentum",
      momentum: 0,
      scale: 0,
      deviation: "1e-9",
      mean: "1e7",
    });
    expect(Object.keys(impossible(wrong)).sort()).toEqual([
      "adaptation.momentum",
      "budget_range.to",
      "budgets.0.macs",
      "calibration_images",
      "macs",
      "preprocessing.deviation",
      "preprocessing.mean",
      "preprocessing.scale",
    ]);
    expect(impossible(form({ momentum: 7, scale: -2 }))).toEqual({});
  });

  it("is a search without a budget, unless its strategies are written by hand", () => {
    expect(missing(form({ budgets: [] }))).toEqual({ budgets: "Add a budget or a range of them." });
    expect(missing(form({ budgets: [], strategies: ["manual"] }))).toEqual({});
    expect(missing(form({ budgets: [], range: { measure: "macs", from: 70, to: 30, steps: 5 } }))).toEqual({});
  });
});

describe("a range that the server has named", () => {
  const refusal: Problem = {
    ...{ type: "/problems/budget-out-of-reach", title: "Budget out of reach", status: 422, detail: "" },
    errors: [{ field: "macs", detail: "out of reach" }],
    reachable: { min: 0.4, max: 0.9 },
  };

  it("holds for the settings that it was named for, and for no others", () => {
    const asked = form({ budgets: macs(30), roundTo: 16 });
    const named = namedRange(asked, refusal);
    expect(hints(asked, model, dataset, named)["macs"]).toContain("between 40.0% and 90.0%");
    expect(hints({ ...asked, roundTo: 8 }, model, dataset, named)).toEqual({});
    expect(namedRange(asked, { ...refusal, errors: [{ field: "budgets", detail: "of the bytes" }] })).toBeUndefined();
  });

  it("holds for the ends of a range of budgets", () => {
    const range = { measure: "macs", from: 50, to: 5, steps: 3 } as const;
    expect(Object.keys(hints(form({ range }), model, dataset))).toEqual(["budget_range.to"]);
    expect(hints(form({ range: { ...range, measure: "bytes" } }), model, dataset)).toEqual({});
  });
});
