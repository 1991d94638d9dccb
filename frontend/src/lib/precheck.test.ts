import { describe, expect, it } from "vitest";

import type { ClassAnswers, Dataset, ModelSummary, Precheck } from "../api/types";
import { bestFit, checkRequest, mostAnswered, presetImages, verdict } from "./precheck";
import { emptyForm, type SearchForm } from "./searchForm";

const model = { id: "m", input_shape: [1, 1, 28, 28], classes: 10, reachable: { min: 0.1, max: 1 } } as ModelSummary;
const dataset = { id: "d", images: 9500, channels: 1, classes: [{ index: 9, name: "9", count: 1 }] } as Dataset;

const form = (change: Partial<SearchForm> = {}): SearchForm => ({
  ...emptyForm(),
  modelId: "m",
  datasetId: "d",
  calibrationImages: 1000,
  scoringImages: 1500,
  mean: "0.286",
  deviation: "0.353",
  ...change,
});

const asked = (change: Partial<SearchForm> = {}): string => JSON.stringify(checkRequest(form(change), model, dataset));

const interval = { low: 0.9, high: 0.95 };
const answer: Precheck = {
  images: 512,
  labelled: true,
  score: { top1: 0.209, top5: 0.865, cross_entropy: 3.2, agreement: 1, kl: 0 },
  intervals: null,
  classes: [],
  preset_images: 256,
  presets: [
    { name: "own", top1: 0.2, interval, requested: true },
    { name: "better", top1: 0.93, interval, requested: false },
  ],
  best_preset: { name: "better", fits_better: true },
  warnings: [{ code: "near_chance", message: "Hardly above chance.", at: "before" }],
  seconds: 1.5,
};

describe("checkRequest", () => {
  it("has the images and the preprocessing of the form", () => {
    expect(checkRequest(form({ seed: 7 }), model, dataset)).toMatchObject({
      model_id: "m",
      dataset_id: "d",
      calibration_images: 1000,
      scoring_images: 1500,
      seed: 7,
      preprocessing: { mean: [0.286], deviation: [0.353] },
    });
  });

  it("is the same whatever the fields say that a check has no use for", () => {
    const others: Partial<SearchForm>[] = [
      { budgets: [[{ measure: "bytes", percentage: null }]] },
      { strategies: ["random"], candidates: null },
      {
        name: "A name",
        minKeep: null,
        groupLimits: "conv1",
        groupKeeps: { fc: 50 },
        testImages: 5,
        racing: false,
        criterion: "l2",
      },
      { shorterSide: 99 },
    ];
    for (const change of others) expect(asked(change)).toBe(asked());
  });

  it("is another one for other images or another preprocessing", () => {
    const changes: Partial<SearchForm>[] = [
      { seed: 1 },
      { scoringImages: 1400 },
      { calibrationImages: 900 },
      { batchSize: 64 },
      { batches: 2 },
      { mean: "0" },
      { classOrder: "1=0, 0=1" },
      { scale: 1 },
      { resize: "stretch" },
      { filter: "bicubic" },
    ];
    expect(new Set([asked(), ...changes.map(asked)]).size).toBe(changes.length + 1);
  });

  it("waits for fields that it needs", () => {
    for (const change of [
      { mean: "" },
      { deviation: "0" },
      { mean: "1, 2" },
      { scoringImages: 9000 },
      { seed: null },
    ]) {
      expect(checkRequest(form(change), model, dataset), JSON.stringify(change)).toBeUndefined();
    }
    expect(checkRequest(form(), undefined, dataset)).toBeUndefined();
    expect(checkRequest(form(), model, { ...dataset, channels: 3 })).toBeUndefined();
  });
});

describe("the answer", () => {
  it("is said in a sentence", () => {
    expect(verdict(answer)).toBe("The full network classifies 20.9% of 512 images correctly. 1 warning.");
    expect(verdict({ ...answer, score: null, warnings: [] })).toBe(
      "The images have no labels; the full network answered 512 images. No warnings.",
    );
  });

  it("names the preset that fits best, unless the request's own values do", () => {
    expect(bestFit(answer)?.top1).toBe(0.93);
    expect(bestFit({ ...answer, best_preset: null })).toBeUndefined();
  });

  it("says what presets were tried on", () => {
    expect(presetImages(answer)).toBe("the first 256 images of the sample");
    expect(presetImages({ ...answer, images: 256 })).toBe("the sample");
  });
});

describe("mostAnswered", () => {
  const class_ = (index: number, answers: number, labels: number): ClassAnswers => ({
    index,
    name: `${index}`,
    answers,
    labels,
  });

  it("keeps the order of a few, and takes the most frequent of many", () => {
    const classes = [class_(0, 1, 9), class_(1, 5, 0), class_(2, 1, 3), class_(3, 0, 0)];
    expect(mostAnswered(classes, 4)).toEqual(classes);
    expect(mostAnswered(classes, 3).map(({ index }) => index)).toEqual([1, 0, 2]);
  });
});
