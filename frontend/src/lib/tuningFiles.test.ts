import { expect, it } from "vitest";

import type { Epoch, Tuning } from "../api/types";
import { aScore } from "./fixtures";
import { normsByEpoch } from "./tunings";
import { medianChangesCsv, normsCsv, tuningsCsv } from "./tuningFiles";

const lines = (text: string): string[] => text.trimEnd().split("\r\n");

const cells = (text: string): Record<string, string>[] => {
  const [header = [], ...rows] = lines(text).map((line) => line.split(","));
  return rows.map((row) => Object.fromEntries(header.map((name, place) => [name, row[place] ?? ""])));
};

const epoch = (number: number, change: Partial<Epoch>): Epoch =>
  ({ epoch: number, drift: [], filter_norms: { low: 0, high: 4, counts: [3, 1] }, ...change }) as Epoch;

it("lists fine-tunings with the interval of what they have come to, and leaves empty what is not known yet", () => {
  const queued = { id: "t1", candidate_id: "c1", state: "queued", start: "adapted", request: { minutes: 10 } };
  const result = {
    ...{ full: aScore(0.93), before: aScore(0.7), validation: aScore(0.9), validation_images: 800 },
    ...{ test: null, test_images: 0, epochs: 5 },
  };
  const done = { ...queued, id: "t2", candidate_id: "c2", state: "succeeded", request: { epochs: 5 }, result };
  const times = { created_at: "2026-11-25T12:00:00Z", finished_at: null };
  const tunings = [{ result: null, ...queued, ...times } as Tuning, { ...done, ...times } as Tuning];
  const [first, second] = cells(tuningsCsv(tunings, new Map([["c2", 7]])));
  expect(first).toMatchObject({ id: "t1", candidate: "", epochs: "", minutes: "10", top1: "", top1_low: "" });
  expect(first).toMatchObject({ created_at: "2026-11-25T12:00:00Z", finished_at: "" });
  expect(second).toMatchObject({ candidate: "7", epochs: "5", top1_full_network: "0.93", top1: "0.9" });
  expect(second).toMatchObject({ validation_images: "800", top1_on_test_images: "", test_images: "" });
  expect(Number(second?.["top1_low"])).toBeCloseTo(0.8773, 3);
});

it("has a line for each kind and epoch of which a change is known", () => {
  const drift = [0.25, 0.75].map((relative) => ({ tensor: "conv.weight", kind: "weight" as const, relative }));
  expect(lines(medianChangesCsv([epoch(1, { drift }), epoch(2, {})]))).toEqual([
    "kind,epoch,median_change",
    "weight,1,0.5",
  ]);
});

it("has a line for each interval of the filters' norms", () => {
  expect(lines(normsCsv([epoch(3, {})]))).toEqual(["epoch,from,to,filters", "3,0,2,3", "3,2,4,1"]);
  const before = { low: 0, high: 2, counts: [4] };
  expect(lines(normsCsv(normsByEpoch([epoch(1, {})], before)))[1]).toBe("0,0,2,4");
});
