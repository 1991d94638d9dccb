import { describe, expect, it } from "vitest";

import type { SearchRequest } from "../api/types";
import type { BudgetFields } from "./budgetFields";
import { hints, missing } from "./searchFaults";
import type { SearchForm } from "./searchForm";
import { form, macs } from "./searchForm.fixtures";
import { fromRequest, toRequest } from "./searchRequest";

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

describe("fromRequest", () => {
  const full: SearchRequest = {
    model_id: "m",
    dataset_id: "d",
    name: "Before",
    strategies: ["manual", "evolutionary"],
    manual: [{ groups: { conv1: 24, fc: 0.5 } }],
    uniform_reference: false,
    macs: 0.011,
    parameters: 1 / 3,
    budgets: [{ latency: 0.5 }, { bytes: 0.25 }],
    budget_range: { measure: "parameters", from: 0.7, to: 0.3, steps: 5 },
    latency_of: "libtorch",
    front: true,
    candidates: 12,
    seed: 9_007_199_254_740_991,
    calibration_images: 512,
    scoring_images: 1000,
    test_images: 0,
    repaired: 2,
    short_tuned: 1,
    short_tune_epochs: 5,
    vanilla_images: 0,
    racing: false,
    batch_size: 64,
    precision: "bfloat16",
    round_to: 1,
    min_keep_ratio: 0.3,
    importance: { criterion: "fpgm", aggregate: "leading" },
    group_limits: [
      { group: "conv1", keep: 1 },
      { group: "layer1.*", keep: 0.333 },
    ],
    adaptation: { mode: "momentum", momentum: 0.1, batches: 100 },
    class_order: { cat: 1, dog: 0 },
    preprocessing: {
      mean: [0.485, 0.456, 0.406],
      deviation: [0.229, 0.224, 0.225],
      scale: 0.00392156862745098,
      resize: { mode: "shorter_side", size: 256 },
      filter: "bicubic",
      channels: "bgr",
    },
  };

  it("fills in every field, so that the same request comes out, but for its name", () => {
    const made = fromRequest(full);
    expect(made.kept).toEqual({});
    expect(toRequest(made)).toEqual({ ...full, name: null, parameters: 0.333333333333 });
    expect([made.range, made.front, made.scale]).toEqual([
      { measure: "parameters", from: 70, to: 30, steps: 5 },
      true,
      null,
    ]);
  });

  it("reads a request with its defaults as the server answers it", () => {
    const { macs: _macs, budget_range: _range, ...rest } = full;
    const answered = {
      ...rest,
      ...{ budgets: [{ macs: 0.5 }, { macs: 0.25 }], round_to: null, adaptation: { mode: "cumulative" as const } },
      ...{ strategies: ["random" as const], manual: [], class_order: "sorted" as const, front: undefined },
      parameters: undefined,
    } as unknown as SearchRequest;
    const made = fromRequest(answered);
    expect([made.budgets, made.kept, made.momentum]).toEqual([macs(50, 25), {}, 0.1]);
    expect(toRequest(made)).toMatchObject({ macs: 0.5, budgets: [{ macs: 0.25 }], front: false });
  });

  it("has no budget where the request has none", () => {
    const { macs: _, ...rest } = full;
    const alone = { ...rest, parameters: undefined, budgets: [], budget_range: undefined } as unknown as SearchRequest;
    expect([fromRequest(alone).budgets, fromRequest(alone).range]).toEqual([[], null]);
  });

  it("keeps what the form cannot show, and sends it as it was", () => {
    const odd = {
      ...full,
      group_limits: [{ group: "a,b=c", keep: 1 }],
      class_order: ["a=1", "b=0"],
      from_a_newer_server: { is: true },
    } as unknown as SearchRequest;
    const made = fromRequest(odd);
    expect(Object.keys(made.kept).sort()).toEqual(["class_order", "from_a_newer_server", "group_limits"]);
    expect([made.groupLimits, made.classOrder]).toEqual(["", ""]);
    expect(toRequest(made)).toMatchObject({ ...made.kept, model_id: "m" });
  });

  it("reads names of classes with commas in them", () => {
    const order = ["cat, black", "dog"];
    const made = fromRequest({ ...full, class_order: order });
    expect([made.kept, toRequest(made).class_order]).toEqual([{}, order]);
  });
});
