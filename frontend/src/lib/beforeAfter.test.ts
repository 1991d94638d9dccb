import { describe, expect, it } from "vitest";

import type { Baseline, Candidate, Evaluation, Score } from "../api/types";
import { accuracyRows, costRows, deltaText, standing } from "./beforeAfter";

const score = (top1: number): Score => ({ top1, top5: 1, cross_entropy: 0.3, agreement: null, kl: null });
const intervals = (low: number, high: number) => ({
  top1: { low, high },
  top5: { low: 1, high: 1 },
  cross_entropy: null,
  agreement: null,
  kl: null,
});

const evaluation = (kind: Evaluation["kind"], image_set: "scoring" | "test", images: number, top1: number) => ({
  kind,
  image_set,
  images,
  calibration_images: 100,
  score: score(top1),
  intervals: intervals(top1 - 0.02, top1 + 0.02),
  seconds: 1,
});

const baseline: Baseline = {
  score: score(0.9),
  intervals: intervals(0.88, 0.92),
  macs: 1000,
  parameters: 100,
  bytes: 400,
  test: score(0.91),
};
const split = { calibration: 100, scoring: 1000, test: 500 };

describe("accuracyRows", () => {
  const evaluations = [
    evaluation("unadapted", "scoring", 512, 0.1),
    evaluation("adapted", "scoring", 200, 0.6),
    evaluation("adapted", "scoring", 1000, 0.65),
    evaluation("adapted", "test", 500, 0.64),
  ];

  it("has the full network first on each set, and each evaluation from the most images", () => {
    const rows = accuracyRows({ evaluations }, { baseline, split });
    expect(rows.map(({ key, images }) => [key, images])).toEqual([
      ["full/scoring", 1000],
      ["adapted/scoring", 1000],
      ["unadapted/scoring", 512],
      ["full/test", 500],
      ["adapted/test", 500],
    ]);
    expect(rows.map(({ delta }) => deltaText(delta))).toEqual(["–", "−25.00", "−80.00", "–", "−27.00"]);
    expect(rows[0]?.interval).toEqual({ low: 0.88, high: 0.92 });
    expect(rows[3]?.interval.low).toBeCloseTo(0.882, 2);
  });

  it("says what it can before the full network was scored", () => {
    const rows = accuracyRows({ evaluations }, { baseline: null, split: null });
    expect(rows.map(({ network, delta }) => [network, delta])).toEqual([
      ["Adaptive BN", undefined],
      ["Without adaptive BN", undefined],
      ["Adaptive BN", undefined],
    ]);
  });
});

describe("costRows", () => {
  const candidate: Pick<Candidate, "macs" | "parameters" | "bytes" | "latencies"> = {
    macs: 500,
    parameters: 100,
    bytes: null,
    latencies: [
      {
        runtime: "onnxruntime",
        device: "cpu",
        threads: 1,
        batch_size: 1,
        runs: 20,
        milliseconds: 3,
        full_milliseconds: 2,
      },
    ],
  };

  it("compares what is known of both", () => {
    expect(costRows(candidate, baseline).map(({ name, change, isWorse }) => [name, change, isWorse])).toEqual([
      ["MACs", "−50.0%", false],
      ["Parameters", "the same", false],
      ["Latency, ONNX Runtime", "slower: 0.67× as fast", true],
    ]);
  });

  it("has the latency alone without the full network's costs", () => {
    expect(costRows(candidate, null).map(({ how }) => how)).toEqual(["1 thread, 1 image"]);
  });
});

it("says how a candidate stands", () => {
  const origin = { strategy: "random", budget: 0, number: 1, is_probe: false } as const;
  const winners = [{ budget: 0, candidate_id: "a" }];
  expect(standing({ id: "a", is_tied: true, origin }, { winners })?.isBest).toBe(true);
  expect(standing({ id: "b", is_tied: true, origin }, { winners })?.text).toBe("Tied with the best");
  expect(standing({ id: "b", is_tied: null, origin }, { winners })).toBeUndefined();
  expect(standing({ id: "b", is_tied: null, origin: { ...origin, is_probe: true } }, { winners })?.text).toBe("Probe");
});
