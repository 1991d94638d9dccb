import { describe, expect, it } from "vitest";

import { colourOf, gradient, pixels } from "./compareColours";
import { cellAt, heat, lineOf, shortened } from "./compareHeat";
import { nearestLine, segments, strength, STRENGTHS } from "./compareParallel";
import { row } from "./compareFixtures";
import { atOnce } from "./gradually";

/** Relative luminance, as WCAG has it. */
function luminance([r, g, b]: readonly [number, number, number]): number {
  const linear = [r, g, b].map((value) => {
    const share = value / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * (linear[0] ?? 0) + 0.7152 * (linear[1] ?? 0) + 0.0722 * (linear[2] ?? 0);
}

describe("the colours of keep ratios", () => {
  it("grow away from the page: lighter in the dark, darker in the light", () => {
    const shares = [0, 0.2, 0.4, 0.6, 0.8, 1];
    const dark = shares.map((share) => luminance(colourOf(share, true)));
    const light = shares.map((share) => luminance(colourOf(share, false)));
    expect(dark).toEqual(dark.toSorted((a, b) => a - b));
    expect(light).toEqual(light.toSorted((a, b) => b - a));
  });

  it("stay within the scale, and are its ends at both ends", () => {
    expect(colourOf(2, true)).toEqual(colourOf(1, true));
    expect(colourOf(-1, false)).toEqual(colourOf(1, true));
    expect(gradient(true)).toMatch(/^linear-gradient\(to right, rgb\(68 1 84\), .*rgb\(253 231 37\)\)$/);
    expect([...pixels(Float32Array.from([0, 1]), true)]).toEqual([68, 1, 84, 255, 253, 231, 37, 255]);
  });
});

describe("the heat map", () => {
  it("has a line per candidate, or the mean of those that share one", () => {
    const rows = [0, 16, 8].map((kept, index) => row(String(index), { kept: Uint32Array.from([kept, 64]) }));
    expect([...atOnce(heat(rows, 2, 3))]).toEqual([0, 1, 1, 1, 0.5, 1]);
    expect([...atOnce(heat(rows, 2, 1))]).toEqual([0.5, 1]);
    expect([lineOf(0, 10, 3), lineOf(9, 10, 3)]).toEqual([0, 2]);
  });

  it("draws ten thousand candidates in a moment", () => {
    const groups = Array.from({ length: 60 }, (_, place) => ({ name: String(place), size: 64 }));
    const network = { ...row("a").origin.network, groups };
    const origin = { ...row("a").origin, network };
    const kept = new Uint32Array(60).fill(32);
    const rows = Array.from({ length: 10_000 }, (_, index) => row(String(index), { origin, kept }));
    const before = performance.now();
    expect(atOnce(heat(rows, 60, 420))).toHaveLength(60 * 420);
    expect(performance.now() - before).toBeLessThan(1_000);
  });

  it("knows the cell under a point", () => {
    const at = (x: number, y: number) => cellAt({ x, y }, { width: 100, height: 50 }, { rows: 5, groups: 10 });
    expect(at(99, 49)).toEqual({ row: 4, group: 9 });
    expect([at(-1, 0), at(0, 50), at(100, 0)]).toEqual([undefined, undefined, undefined]);
  });

  it("shortens names in their middle", () => {
    expect(shortened("features.10.1.0", 20)).toBe("features.10.1.0");
    expect(shortened("features.10.1.0", 8)).toHaveLength(8);
    expect(shortened("features.10.1.0", 8)).toMatch(/^fe….*1\.0$/);
    expect([shortened("abc", 1), shortened("abc", 0)]).toEqual(["…", ""]);
  });
});

describe("parallel coordinates", () => {
  it("draw a segment once that several lines take", () => {
    const heights = Float32Array.from([0, 1, 0, 0, 1, 1]);
    expect(segments(heights, 3, 0)).toEqual([{ from: 0, to: 1, lines: 2 }]);
    expect(segments(heights, 3, 1).map(({ lines }) => lines)).toEqual([1, 1]);
    expect([segments(new Float32Array(), 3, 0), segments(new Float32Array(), 0, 0)]).toEqual([[], []]);
  });

  it("have few segments however many lines there are", () => {
    const heights = Float32Array.from({ length: 10_000 * 3 }, (_, place) => ((place * 7919) % 1000) / 1000);
    for (const axis of [0, 1]) expect(segments(heights, 3, axis).length).toBeLessThanOrEqual(32 * 128);
  });

  it("are stronger where more lines go", () => {
    const steps = [1, 3, 10, 100, 1000, 1e6].map(strength);
    expect(steps).toEqual(steps.toSorted((a, b) => a - b));
    expect([steps[0], steps.at(-1)]).toEqual([0, STRENGTHS - 1]);
  });

  it("find the line nearest to a point between two axes", () => {
    const heights = Float32Array.from([0, 1, 1, 0, 0.1, 0.2]);
    expect(nearestLine(heights, 2, 0.25, 0.26, 0.2)).toBe(0);
    expect(nearestLine(heights, 2, 1, 0.19, 0.1)).toBe(2);
    expect(nearestLine(heights, 2, 0.5, 0.9, 0.1)).toBe(-1);
  });
});
