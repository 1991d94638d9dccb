import { describe, expect, it } from "vitest";

import type { Candidate, Search } from "../api/types";
import { comparable, expectation, experience } from "./expectedTime";

const search = (change: Partial<Search> = {}, racing = true): Search =>
  ({
    id: "s",
    state: "succeeded",
    model_id: "m",
    dataset_id: "d",
    request: { calibration_images: 500, scoring_images: 1000, racing },
    ...change,
  }) as Search;

const candidate = (seconds: number, ...evaluations: [string, string, number][]): Candidate =>
  ({
    seconds,
    evaluations: evaluations.map(([kind, image_set, seconds]) => ({ kind, image_set, seconds })),
  }) as unknown as Candidate;

const wanted = { modelId: "m", datasetId: "d", racing: true };

describe("the search to judge by", () => {
  it("is the newest finished one of the same model and dataset that races alike", () => {
    const others = [
      search({ id: "running", state: "running" }),
      search({ id: "failed", state: "failed" }),
      search({ id: "model", model_id: "other" }),
      search({ id: "dataset", dataset_id: "other" }),
      search({ id: "all images" }, false),
    ];
    expect(comparable(others, wanted)).toBeUndefined();
    const known = [...others, search({ id: "newest" }), search({ id: "older" })];
    expect(comparable(known, wanted)?.id).toBe("newest");
    expect(comparable(known, { ...wanted, racing: false })?.id).toBe("all images");
  });
});

describe("the time of a candidate", () => {
  it("is that of all its evaluations on scoring images, without repairs and tests", () => {
    const raced = candidate(
      1.5,
      ...([
        ["adapted", "scoring", 1],
        ["unadapted", "scoring", 0.5],
        ["adapted", "scoring", 2],
        ["adapted", "test", 4],
        ["repaired", "scoring", 9],
      ] as [string, string, number][]),
    );
    expect(experience(search(), [raced, candidate(0.5, ["adapted", "scoring", 0])])?.seconds).toBe(2);
    expect(experience(search(), [])).toBeUndefined();
  });

  it("is multiplied by their number, and scaled to the images", () => {
    const known = { search: search(), candidates: 2, seconds: 2 };
    expect(expectation(known, 50, { calibration: 500, scoring: 1000 })).toEqual({ seconds: 100, isScaled: false });
    expect(expectation(known, 50, { calibration: 1000, scoring: 2000 })).toEqual({ seconds: 200, isScaled: true });
  });
});
