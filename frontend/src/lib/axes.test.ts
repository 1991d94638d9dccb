import { describe, expect, it } from "vitest";

import { axisTicks, COST_LABELS } from "./axes";
import { percentLabels } from "./scales";

const labels = (ticks: { label: string }[]): string[] => ticks.map(({ label }) => label);

describe("ticks of an axis", () => {
  it("are at least two that read differently, however narrow the chart", () => {
    for (const part of [
      [7.8306e6, 7.8345e6],
      [7.6e6, 8.1e6],
      [3.4e6, 1.62e7],
      [9.999e8, 1.0001e9],
    ] as const) {
      const found = labels(axisTicks(part, 1, COST_LABELS.macs));
      expect(new Set(found).size, String(part)).toBeGreaterThanOrEqual(2);
      expect(new Set(found).size).toBe(found.length);
    }
  });

  it("are no more than have room where fewer do", () => {
    expect(axisTicks([0, 1], 6, percentLabels).length).toBeLessThanOrEqual(7);
  });

  it("are written in the unit of their cost", () => {
    expect(labels(axisTicks([0, 2e6], 2, COST_LABELS.bytes))).toEqual(["0 MB", "1 MB", "2 MB"]);
    expect(labels(axisTicks([0, 400], 2, COST_LABELS.bytes))).toEqual(["0 B", "200 B", "400 B"]);
    expect(labels(axisTicks([0, 2], 2, COST_LABELS.latency))).toEqual(["0 ms", "1 ms", "2 ms"]);
  });
});
