import { describe, expect, it } from "vitest";

import type { Preset, Search } from "../api/types";
import { begin, released, withDataset, withModel, type Choices } from "./newSearch";
import { dataset, form, macs, model } from "./searchForm.fixtures";
import { toRequest } from "./searchRequest";

const preset = (name: string, channels: number, size: number | null): Preset =>
  ({
    ...{ name, summary: "", input_size: size, input_channels: channels, scale: 1 / 255, channels: "rgb" },
    ...{ mean: Array(channels).fill(0.5), deviation: Array(channels).fill(0.25), resize: { mode: "cover" } },
    filter: "bilinear",
  }) as unknown as Preset;

const colour = { ...model, id: "c", input_shape: [1, 3, 32, 32], reachable: { min: 0.6, max: 1 } };
const choices: Choices = {
  models: [model, colour],
  datasets: [dataset, { ...dataset, id: "small", images: 100 }],
  strategies: [
    { name: "sensitivity", summary: "", most: null },
    { name: "random", summary: "", most: null },
  ],
  presets: [preset("mnist", 1, 28), preset("cifar", 3, 32)],
};
const nowhere = { modelId: null, datasetId: null };

describe("a form begins", () => {
  it("with the newest model and dataset, the first strategy and what fits them", () => {
    expect(begin(choices, nowhere)).toMatchObject({
      ...{ modelId: "m", datasetId: "d", strategies: ["sensitivity"], preset: "mnist", mean: "0.5" },
      ...{ calibrationImages: 2850, scoringImages: 4750, isOwnPreprocessing: false },
    });
  });

  it("with what the address names, where it is there", () => {
    const named = begin(choices, { modelId: "c", datasetId: "small" });
    expect(named).toMatchObject({ modelId: "c", datasetId: "small", preset: "cifar", budgets: macs(60) });
    expect(named.scoringImages).toBe(50);
    expect(begin(choices, { modelId: "gone", datasetId: "gone" })).toMatchObject({ modelId: "m", datasetId: "d" });
  });

  it("with all that another search was asked for", () => {
    const request = { ...toRequest(form({ budgets: macs(30, 20), seed: 5, classOrder: "9, 0" })), name: "Before" };
    const again = begin(choices, nowhere, { request } as unknown as Search);
    expect(toRequest(again)).toEqual({ ...request, name: null });
    const elsewhere = begin(choices, { modelId: "c", datasetId: null }, { request } as unknown as Search);
    expect(elsewhere).toMatchObject({ modelId: "c", budgets: macs(60, 60), preset: "cifar", seed: 5 });
  });

  it("with what was typed before, on the model that the address names", () => {
    const typed = form({ name: "Mine", budgets: macs(null), mean: "" });
    expect(begin(choices, nowhere, undefined, typed)).toEqual(typed);
    expect(begin(choices, { modelId: "c", datasetId: null }, undefined, typed)).toMatchObject({
      ...{ name: "Mine", modelId: "c", datasetId: "d", preset: "cifar" },
    });
  });
});

describe("another model", () => {
  it("keeps one's own preprocessing where it has as many channels", () => {
    const own = form({ isOwnPreprocessing: true, mean: "0.1", groupKeeps: { conv1: 100 } });
    const grey = { ...model, id: "g" };
    const both = { ...choices, models: [model, grey, colour] };
    expect(withModel(own, "g", both)).toMatchObject({ mean: "0.1", groupKeeps: {}, isOwnPreprocessing: true });
    expect(withModel(own, "c", both)).toMatchObject({ mean: "0.5, 0.5, 0.5", isOwnPreprocessing: false });
    expect(withModel(own, "m", both)).toBe(own);
  });
});

describe("another dataset", () => {
  it("has another order of classes and other numbers of images", () => {
    const kept = form({ classOrder: "9, 0", kept: { class_order: ["a=1"], front: true } });
    expect(withDataset(kept, "small", choices)).toMatchObject({ classOrder: "", calibrationImages: 30 });
    expect(withDataset(kept, "small", choices).kept).toEqual({ front: true });
  });
});

it("lets go of what it keeps where a field of the same part is changed", () => {
  const kept = form({ kept: { class_order: ["a=1"], front: true } });
  expect(released(kept, "class_order")).toEqual({ front: true });
  expect(released(kept, "preprocessing.mean")).toBe(kept.kept);
});
