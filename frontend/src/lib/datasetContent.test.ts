import { describe, expect, it } from "vitest";

import type { Class } from "../api/types";
import { classLabels, sampleText, splitSentence, thumbnailClasses } from "./datasetContent";

const classes = (...counts: number[]): Class[] =>
  counts.map((count, index) => ({ index, name: `class ${index}`, count }));

describe("thumbnailClasses", () => {
  const names = (counts: number[], thumbnails: number): number[] =>
    thumbnailClasses({ classes: classes(...counts), thumbnails }).map(({ index }) => index);

  it("shows every class in turn, as the server does", () => {
    expect(names([5, 5, 5], 7)).toEqual([0, 1, 2, 0, 1, 2, 0]);
    expect(names([1, 3, 0, 2], 6)).toEqual([0, 1, 3, 1, 3, 1]);
    expect(names([9, 9, 9], 2)).toEqual([0, 1]);
    expect(thumbnailClasses({ classes: [], thumbnails: 4 })).toEqual([]);
  });
});

it("says of which class a sample is, where that is known", () => {
  expect(sampleText(2, { index: 7, name: "sneaker", count: 5 })).toBe("Sample 3, class sneaker");
  expect(sampleText(0, undefined)).toBe("Sample 1");
});

describe("splitSentence", () => {
  it("says how a search divides the images", () => {
    const sentence = splitSentence({ images: 9500, labelled: true });
    expect(sentence).toContain("from 2,850 images, scores candidates on 4,750 and tests the winners on 1,900.");
    expect(sentence).toContain("proportions");
    expect(splitSentence({ images: 60_000, labelled: false })).toMatch(
      /on 2,000\. No image serves twice\. 49,800 are left/,
    );
    expect(splitSentence({ images: 1, labelled: true })).toContain("too few");
    expect(splitSentence({ images: 2, labelled: true })).not.toContain("tests the winners");
  });
});

describe("classLabels", () => {
  it("shows names upright where they fit, and slanted where they do not", () => {
    expect(classLabels(classes(1, 2, 3), 100)).toMatchObject({ every: 1, isSlanted: false });
    expect(classLabels(classes(1, 2, 3), 30)).toMatchObject({ every: 1, isSlanted: true });
    expect(classLabels(classes(...Array.from({ length: 1000 }, () => 1)), 0.5)).toMatchObject({
      every: 50,
      isSlanted: true,
    });
  });

  it("shows numbers upright, as many as fit, and cuts long names", () => {
    const numbered = classes(1, 2, 3).map((class_) => ({ ...class_, name: String(class_.index) }));
    expect(classLabels(numbered, 8)).toMatchObject({ every: 2, isSlanted: false });
    const [long] = classes(1).map((class_) => ({ ...class_, name: "a very long name of a folder" }));
    expect(classLabels([long!], 40).text(long!)).toBe("a very long name …");
  });
});
