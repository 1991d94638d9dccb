import { describe, expect, it } from "vitest";

import type { Dataset, ModelSummary } from "../api/types";
import type { BudgetFields } from "./budgetFields";
import {
  defaultImages,
  emptyForm,
  hints,
  missing,
  mostCandidates,
  notices,
  offered,
  toRequest,
  type SearchForm,
} from "./searchForm";

const model: ModelSummary = {
  id: "m",
  name: "MobileNetV1",
  format: "torchscript",
  bytes: 3_480_325,
  hash: "0".repeat(64),
  input_shape: [1, 1, 28, 28],
  guessed_shape: false,
  macs: 16_000_000,
  parameters: 823_434,
  batch_norms: 27,
  reachable: { min: 0.123, max: 1 },
  classes: 10,
  lineage: null,
  created_at: "2026-11-25T12:00:00Z",
};

const dataset: Dataset = {
  id: "d",
  name: "Fashion-MNIST",
  kind: "idx",
  bytes: 4_144_521,
  images: 9500,
  labelled: true,
  classes: [
    { index: 0, name: "0", count: 4750 },
    { index: 9, name: "9", count: 4750 },
  ],
  channels: 1,
  width: 28,
  height: 28,
  thumbnails: 24,
  created_at: "2026-11-25T12:00:00Z",
};

const form = (change: Partial<SearchForm> = {}): SearchForm => ({
  ...emptyForm(),
  modelId: "m",
  datasetId: "d",
  strategies: ["random"],
  calibrationImages: 1000,
  scoringImages: 1500,
  mean: "0.286",
  deviation: "0.353",
  ...change,
});

const macs = (...percentages: (number | null)[]): BudgetFields[] =>
  percentages.map((percentage) => [{ measure: "macs", percentage }]);

describe("defaultImages", () => {
  it("takes the usual numbers from a large dataset and shares of a small one", () => {
    expect(defaultImages(60_000)).toEqual({ calibration: 3200, scoring: 5000 });
    expect(defaultImages(9500)).toEqual({ calibration: 2850, scoring: 4750 });
    expect(defaultImages(20)).toEqual({ calibration: 6, scoring: 10 });
    expect(defaultImages(1)).toEqual({ calibration: 1, scoring: 1 });
  });
});

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

describe("toRequest", () => {
  it("sends the multiple that is typed, and none where the field is empty", () => {
    expect(toRequest(form({ roundTo: 16 })).round_to).toBe(16);
    expect("round_to" in toRequest(form({ roundTo: null }))).toBe(false);
  });

  it("turns percentages into fractions and leaves out what has a meaning of its own", () => {
    expect(toRequest(form({ budgets: macs(1.1), name: "  " }))).toEqual({
      model_id: "m",
      dataset_id: "d",
      name: null,
      strategies: ["random"],
      uniform_reference: true,
      macs: 0.011,
      front: false,
      candidates: 48,
      seed: 0,
      calibration_images: 1000,
      scoring_images: 1500,
      repaired: 0,
      short_tuned: 0,
      short_tune_epochs: 3,
      vanilla_images: 512,
      racing: true,
      batch_size: 128,
      min_keep_ratio: 0.1,
      importance: { criterion: "l1", aggregate: "sum" },
      adaptation: { mode: "cumulative" },
      preprocessing: {
        mean: [0.286],
        deviation: [0.353],
        scale: 1 / 255,
        resize: { mode: "cover" },
        filter: "bilinear",
        channels: "rgb",
      },
    });
  });

  it("sends a shorter side with the mode that has one, which must then be typed", () => {
    const typed = form({ resize: "shorter_side", shorterSide: 256, filter: "bicubic", channelOrder: "bgr" });
    expect(toRequest(typed).preprocessing).toMatchObject({
      resize: { mode: "shorter_side", size: 256 },
      filter: "bicubic",
      channels: "bgr",
    });
    expect(toRequest({ ...typed, resize: "stretch" }).preprocessing.resize).toEqual({ mode: "stretch" });
    expect(missing({ ...typed, shorterSide: null })).toEqual({ "preprocessing.resize.size": "Enter a number." });
    expect(hints({ ...typed, shorterSide: 0 })).toEqual({ "preprocessing.resize.size": "From 1 to 8,192." });
    expect(missing({ ...typed, resize: "cover", shorterSide: null })).toEqual({});
  });

  it("sends the first budget by what it limits, and further ones in a list", () => {
    const first: BudgetFields = [
      { measure: "parameters", percentage: 70 },
      { measure: "bytes", percentage: 80 },
    ];
    const request = toRequest(form({ budgets: [first, ...macs(50, 30)] }));
    expect([request.macs, request.parameters, request.bytes]).toEqual([undefined, 0.7, 0.8]);
    expect(request.budgets).toEqual([{ macs: 0.5 }, { macs: 0.3 }]);
  });

  it("says where latency is measured, if a budget limits it", () => {
    const limited = form({ budgets: [...macs(50), [{ measure: "latency", percentage: 60 }]], latencyOf: "libtorch" });
    expect(toRequest(limited)).toMatchObject({ macs: 0.5, budgets: [{ latency: 0.6 }], latency_of: "libtorch" });
    expect("latency_of" in toRequest({ ...limited, budgets: macs(50) })).toBe(false);
  });

  it("sends limits of groups and test images where there are some", () => {
    const request = toRequest(form({ groupLimits: "conv1, fc=20%", testImages: 0, racing: false, criterion: "fpgm" }));
    expect(request.group_limits).toEqual([
      { group: "conv1", keep: 1 },
      { group: "fc", keep: 0.2 },
    ]);
    const both = toRequest(form({ groupLimits: "fc=20%", groupKeeps: { conv1: 100, conv2: null } }));
    expect(both.group_limits).toEqual(request.group_limits);
    expect(missing(form({ groupKeeps: { conv1: 101 } }))["group_limits"]).toContain("from 0 to 100");
    expect([request.test_images, request.racing, request.importance?.criterion]).toEqual([0, false, "fpgm"]);
  });

  it("sends an order of the classes where one is typed", () => {
    expect(toRequest(form({ classOrder: "b, a" })).class_order).toEqual(["b", "a"]);
    expect("class_order" in toRequest(form())).toBe(false);
  });

  it("sends momentum only with the mode that uses it", () => {
    const adaptation = (change: Partial<SearchForm>) => toRequest(form(change)).adaptation;
    expect(adaptation({ mode: "momentum", momentum: 0.2, batches: 100 })).toEqual({
      mode: "momentum",
      momentum: 0.2,
      batches: 100,
    });
    expect(adaptation({ mode: "cumulative", momentum: 0.2 })).toEqual({ mode: "cumulative" });
    expect(adaptation({ mode: "momentum", momentum: null })).toEqual({ mode: "momentum" });
  });
});

describe("strategies", () => {
  const known = [
    { name: "random", summary: "Draws.", most: null },
    { name: "uniform", summary: "One fraction.", most: 1 },
    { name: "manual", summary: "By hand.", most: null },
  ];

  it("are offered unless they need keep counts", () => {
    expect(offered(known).map(({ name }) => name)).toEqual(["random", "uniform"]);
  });

  it("have candidates under each budget", () => {
    const both = form({ strategies: ["random", "uniform"], budgets: macs(50, 30), candidates: 10 });
    expect(mostCandidates(both, known)).toBe(22);
    expect(mostCandidates(form({ candidates: null }), known)).toBeUndefined();
    expect(mostCandidates(form({ strategies: [] }), known)).toBeUndefined();
  });
});

describe("ranges", () => {
  it("are said in the form's own units while typing", () => {
    const found = hints(form({ candidates: 1.5, minKeep: 130, batchSize: 0, batches: 0, seed: -1 }));
    expect(found).toEqual({
      candidates: "Enter a whole number.",
      min_keep_ratio: "From 0 to 100.",
      batch_size: "From 1 to 4,096.",
      "adaptation.batches": "At least 1.",
      seed: "From 0 to 9,007,199,254,740,991.",
    });
    expect(hints(form(), model, dataset)).toEqual({});
  });
});

describe("notices", () => {
  it("say that images are resized, and that an input shape is a guess", () => {
    expect(notices(model, dataset)).toEqual([]);
    expect(notices(model, { ...dataset, width: 8, height: 8 })[0]).toContain("8 × 8 and the model takes 28 × 28");
    expect(notices({ ...model, guessed_shape: true }, dataset)[0]).toContain("guess");
    expect(notices(undefined, dataset)).toEqual([]);
  });
});
