import { describe, expect, it } from "vitest";

import { origin, row } from "./compareFixtures";
import { comparedPoints, fullPoints, mainKind, pointLines } from "./comparePoints";

const time = (milliseconds: number, full: number, kind = "a") => ({ milliseconds, full, kind });

describe("compared candidates as points", () => {
  const second = origin({ id: "s2", title: "Second" });

  it("belong to their searches where there are several, and else to their strategies", () => {
    const rows = [row("a"), row("b", { origin: second, strategy: "uniform" })];
    expect(comparedPoints(rows, undefined, true).map(({ series }) => series)).toEqual(["s", "s2"]);
    expect(comparedPoints(rows, undefined, false).map(({ series }) => series)).toEqual(["random", "uniform"]);
  });

  it("are partial beside others of their race that were scored on more images", () => {
    const rows = [row("a"), row("b", { images: 500 }), row("c", { images: 500, origin: second })];
    expect(comparedPoints(rows, undefined, true).map(({ isPartial }) => isPartial)).toEqual([false, true, false]);
  });

  it("have the latency of the kind that most of them have, and no other", () => {
    const rows = [row("a", { time: time(1, 2, "b") }), row("b", { time: time(3, 4) }), row("c", { time: time(5, 6) })];
    const kind = mainKind(rows);
    expect(kind).toBe("a");
    expect(comparedPoints(rows, kind, false).map(({ costs }) => costs.latency)).toEqual([null, 3, 5]);
    expect(mainKind([row("a")])).toBeUndefined();
    expect(comparedPoints([row("a")], undefined, false)[0]?.costs.latency).toBeNull();
  });

  it("have the full network of each search beside them, once it has been scored", () => {
    const first = row("a").origin;
    const rows = [8, 4, 6].map((full) => row("a", { time: time(1, full) }));
    const [full, ...others] = fullPoints([first, origin({ id: "s3", full: null })], rows, "a");
    expect(others).toEqual([]);
    expect(full).toMatchObject({ name: "Full network of Search", top1: 0.9 });
    expect(full?.costs).toEqual({ macs: 1000, parameters: 100, bytes: 400, latency: 6 });
    expect(fullPoints([first], [], undefined)[0]).toMatchObject({ name: "Full network", costs: { latency: null } });
  });

  it("say who they are, and how they differ from what they are measured against", () => {
    const [a, b] = [row("a", { index: 1 }), row("b", { index: 2, top1: 0.85, macs: 250, macsShare: 0.25 })];
    const [, point] = comparedPoints([a, b], undefined, false);
    const lines = pointLines(point!, b, undefined, false).map((line) => line.replaceAll("\u00a0", " "));
    expect(lines).toEqual([
      "Search",
      "random, for 50% of MACs",
      "Top-1 85.00% ±1.0, from 1,000 images",
      "−5.00 points to the full network",
      "250 MACs (−75.0%) · 50 parameters (−50.0%) · 200 B (−50.0%)",
    ]);
    expect(pointLines(point!, b, a, true)).toContain("+5.00 points to Candidate 1 of Search");
    expect(pointLines(point!, b, b, true)).toContain("The others are measured against it");
    expect(pointLines(fullPoints([a.origin], [], undefined)[0]!, undefined, a, false)[0]).toBe("Top-1 90.00%");
  });
});
