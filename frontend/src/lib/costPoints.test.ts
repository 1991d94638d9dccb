import { describe, expect, it } from "vitest";

import type { Baseline } from "../api/types";
import { ranked } from "./candidates";
import { budgetPlace, candidatesCsv, cellText, sorting } from "./candidateTable";
import { budgetLines, candidatePoints, fullPoint, knownCosts } from "./costPoints";
import { layersOf, outline } from "./costLayers";
import { aCandidate, aScore } from "./fixtures";
import { shapePath, strategySeries, seriesOf } from "./series";

const latency = (milliseconds: number, full_milliseconds: number) => ({
  ...{ runtime: "onnxruntime" as const, device: "cpu", threads: 1, batch_size: 1, runs: 50 },
  ...{ milliseconds, full_milliseconds },
});

const baseline = {
  score: aScore(0.93),
  intervals: null,
  macs: 16e6,
  parameters: 8e5,
  bytes: null,
} as unknown as Baseline;

describe("points of cost against accuracy", () => {
  it("know which candidates were scored on fewer images than others of their budget", () => {
    const other = {
      origin: { strategy: "random" as const, budget: 1, number: 0, is_probe: false },
      scored_images: 500,
    };
    const points = candidatePoints(
      ranked([aCandidate(0), aCandidate(1, { scored_images: 500 }), aCandidate(2, other)]),
    );
    expect(new Map(points.map(({ name, isPartial }) => [name, isPartial]))).toEqual(
      new Map([
        ["Candidate 0", false],
        ["Candidate 1", true],
        ["Candidate 2", false],
      ]),
    );
  });

  it("have the latency of the full network from what was measured in turn with it", () => {
    const rows = ranked([4, 6, 5].map((full, index) => aCandidate(index, { latencies: [latency(2, full)] })));
    expect(fullPoint(baseline, rows).costs).toEqual({ macs: 16e6, parameters: 8e5, bytes: null, latency: 5 });
    expect(knownCosts(candidatePoints(ranked([aCandidate(0)])))).toEqual(["macs", "parameters", "bytes"]);
  });

  it("have budgets beside them on the axes that they limit", () => {
    const budgets = [{ macs: 0.5, bytes: 0.25 }, { latency: 0.5 }];
    expect(budgetLines({ budgets }, { macs: 16e6, bytes: null, latency: 4 }).map(({ costs }) => costs)).toEqual([
      { macs: 8e6 },
      { latency: 2 },
    ]);
  });
});

describe("series", () => {
  it("look the same in every chart, each in a shape of its own", () => {
    const [some] = strategySeries(["evolutionary"]);
    const all = strategySeries(["evolutionary", "uniform", "sensitivity", "random", "random"]);
    expect(all.find(({ key }) => key === "evolutionary")).toEqual(some);
    expect(new Set(all.map(({ shape }) => shape)).size).toBe(4);
    expect(
      seriesOf([
        { key: "a", name: "A" },
        { key: "b", name: "B" },
      ]).map(({ shape }) => shape),
    ).toEqual(["circle", "square"]);
  });

  it("look like no other one, however many searches are beside each other", () => {
    const many = seriesOf(Array.from({ length: 64 }, (_, place) => ({ key: String(place), name: "" })));
    expect(new Set(many.map(({ shape, colour }) => `${shape} ${colour}`)).size).toBe(64);
  });

  it("are drawn layer by layer, partial marks below the others of their series", () => {
    const mark = (series: string, isPartial: boolean) => ({ x: 1, y: 2, low: 1, high: 3, plain: 4, series, isPartial });
    const series = seriesOf([
      { key: "a", name: "A" },
      { key: "b", name: "B" },
      { key: "none", name: "None" },
    ]);
    const layers = layersOf([mark("b", false), mark("a", false), mark("a", true), mark("a", false)], series);
    expect(layers.map(({ key, marks }) => [key, marks.length])).toEqual([
      ["a/true", 1],
      ["a/false", 2],
      ["b/false", 1],
    ]);
    expect(outline(layers[1]!.marks, "square", 10)).toBe("M-8 -7L10 -7L10 11L-8 11Z".repeat(2));
  });

  it("have marks around their place", () => {
    expect(shapePath("square", 10, 20, 10)).toBe("M1 11L19 11L19 29L1 29Z");
    expect(shapePath("circle", 10, 20, 5)).toBe("M5 20a5 5 0 1 0 10 0a5 5 0 1 0 -10 0Z");
  });
});

describe("the table of candidates", () => {
  it("keeps its order in the address", () => {
    expect(sorting.read("-macs")).toEqual({ key: "macs", direction: "descending" });
    expect(sorting.write({ key: "macs", direction: "ascending" })).toBe("macs");
    expect(sorting.read("nonsense")).toBeUndefined();
    expect([budgetPlace.read("none"), budgetPlace.read("2"), budgetPlace.read("x")]).toEqual([null, 2, undefined]);
  });

  it("is a file with what each group keeps", () => {
    const rows = ranked([aCandidate(3)]);
    const [header, line] = candidatesCsv(rows, [{ macs: 0.5 }], ["conv1"])
      .split("\r\n")
      .map((text) => text.split(","));
    const values = Object.fromEntries((header ?? []).map((name, place) => [name, line?.[place]]));
    expect(values).toMatchObject({
      candidate: "3",
      budget: "50% of MACs",
      top1: "0.9",
      macs: "8000000",
      "kept conv1": "8",
    });
    expect(cellText("budget", rows[0]!, [{ macs: 0.5 }])).toBe("50% of MACs");
  });
});
