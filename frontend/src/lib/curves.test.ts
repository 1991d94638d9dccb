import { describe, expect, it } from "vitest";

import { nearestPlace, partAround, partBetween, placeBy, placesOf, readingText, valuesAt, type Curve } from "./curves";
import { loss } from "./format";

const curve = (name: string, ...points: [number, number][]): Curve => ({
  name,
  points: points.map(([x, y]) => ({ x, y })),
});

const validation = curve("validation", [1, 0.5], [2, 0.4], [4, 0.3]);
const training = curve("training", [2, 0.45], [3, 0.35]);

describe("a reading", () => {
  it("is at a place that any of the curves has a point at", () => {
    expect(placesOf([validation, training])).toEqual([1, 2, 3, 4]);
    expect(placesOf([])).toEqual([]);
  });

  it("is at the place that is nearest", () => {
    const places = [1, 2, 4, 8];
    expect([-5, 1.4, 1.6, 3.2, 5.9, 6.1, 99].map((value) => nearestPlace(places, value))).toEqual([
      1, 1, 2, 4, 4, 8, 8,
    ]);
    expect(nearestPlace([], 3)).toBeUndefined();
  });

  it("has the values of all curves that have a point there", () => {
    const of = (x: number): [string, number][] =>
      valuesAt([validation, training], x).map(({ curve, y }) => [curve.name, y]);
    expect(of(2)).toEqual([
      ["validation", 0.4],
      ["training", 0.45],
    ]);
    expect(of(3)).toEqual([["training", 0.35]]);
    expect(of(9)).toEqual([]);
  });

  it("is said in words", () => {
    expect(readingText([validation, training], 2, "Epoch", loss)).toBe("Epoch 2: validation 0.400, training 0.450");
    expect(readingText([], 1200, "Epoch", loss)).toBe("Epoch 1,200: no value");
  });

  it("goes on by keys, and not beyond the ends", () => {
    const places = Array.from({ length: 3000 }, (_, place) => 2 * place + 1);
    const to = (key: string, from: number) => placeBy(key, places, from);
    expect([to("ArrowRight", 5), to("ArrowLeft", 5), to("ArrowLeft", 1)]).toEqual([7, 3, 1]);
    expect([to("PageUp", 5), to("PageDown", 5), to("PageUp", 5990)]).toEqual([25, 1, 5999]);
    expect([to("Home", 5), to("End", 5), to("Enter", 5)]).toEqual([1, 5999, undefined]);
    expect([placeBy("End", [], 1), placeBy("PageUp", [], 1)]).toEqual([undefined, undefined]);
  });
});

describe("the part that is looked at", () => {
  const whole = [1, 100] as const;

  it("goes from one whole number to another", () => {
    expect(partBetween(12.4, 3.6, whole)).toEqual([4, 12]);
    expect(partBetween(7.2, 6.9, whole), "no narrower than from one to the next").toEqual([7, 8]);
    expect(partBetween(99.8, 100, whole), "within the axis").toEqual([99, 100]);
    expect(partBetween(0.7, 100.2, whole), "all of it").toBeUndefined();
    expect(partBetween(1, 2, [1, 2])).toBeUndefined();
  });

  it("is narrowed and widened around a value", () => {
    expect(partAround([1, 100], whole, 0.5, 1)).toEqual([1, 51]);
    expect(partAround([41, 61], whole, 0.5, 51)).toEqual([46, 56]);
    expect(partAround([41, 42], whole, 0.5, 41)).toEqual([41, 42]);
    expect(partAround([41, 42], whole, 2, 41)).toEqual([41, 43]);
    expect(partAround([20, 80], whole, 2, 50)).toBeUndefined();
  });
});
