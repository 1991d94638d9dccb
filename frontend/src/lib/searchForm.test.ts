import { describe, expect, it } from "vitest";

import { defaultImages, notices } from "./searchForm";
import { dataset, model } from "./searchForm.fixtures";

describe("defaultImages", () => {
  it("takes the usual numbers from a large dataset and shares of a small one", () => {
    expect(defaultImages(60_000)).toEqual({ calibration: 3200, scoring: 5000 });
    expect(defaultImages(9500)).toEqual({ calibration: 2850, scoring: 4750 });
    expect(defaultImages(20)).toEqual({ calibration: 6, scoring: 10 });
    expect(defaultImages(1)).toEqual({ calibration: 1, scoring: 1 });
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
