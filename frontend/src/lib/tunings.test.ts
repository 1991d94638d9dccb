import { describe, expect, it } from "vitest";

import type { Candidate, Epoch, Tuning } from "../api/types";
import {
  afterEpoch,
  beforeTuning,
  driftByEpoch,
  epochPlace,
  normsByEpoch,
  lengthText,
  Pace,
  secondsLeft,
  settingsOf,
  significant,
  tuningText,
  tuningTitle,
} from "./tunings";

const score = { top1: 0.9, top5: 0.99, cross_entropy: 0.3, agreement: 0.95, kl: 0.1 };

const request = {
  epochs: 5,
  optimizer: "sgd",
  batch_size: 128,
  flip: true,
  distillation: { temperature: 2, weight: 0.5 },
} as Tuning["request"];

const tuning = (change: Partial<Tuning>): Tuning => ({
  id: "t",
  search_id: "s",
  candidate_id: "c",
  race_id: null,
  study_id: null,
  state: "running",
  start: "adapted",
  request,
  progress: { phase: "epochs", done: 30, total: 100 },
  snapshot_bytes: 3_258_990,
  has_snapshot: false,
  result: null,
  error: null,
  waiting_for: null,
  revision: 3,
  created_at: "2026-11-25T12:00:00Z",
  started_at: "2026-11-25T12:00:10Z",
  finished_at: null,
  ...change,
});

const epoch = (change: Partial<Epoch>): Epoch => ({
  epoch: 1,
  steps: 20,
  loss: 0.4,
  train_top1: 0.88,
  validation: score,
  learning_rate: 0.01,
  images_per_second: 500,
  seconds: 40,
  seconds_left: 160,
  filter_norms: { low: 0, high: 4, counts: [3, 1] },
  drift: [],
  ...change,
});

describe("progress", () => {
  it("says epoch and step while the network is trained", () => {
    expect(tuningText(tuning({}), [])).toBe("Epoch 1 of 5, step 30 of 100");
    expect(tuningText(tuning({}), [epoch({}), epoch({ epoch: 2 })])).toBe("Epoch 3 of 5, step 30 of 100");
    const last = [1, 2, 3, 4, 5].map((number) => epoch({ epoch: number }));
    expect(tuningText(tuning({}), last)).toBe("Epoch 5 of 5, step 30 of 100");
  });

  it("stays so when it has ended", () => {
    const ended = { state: "succeeded", progress: { phase: "epochs", done: 100, total: 100 } } as const;
    const all = [1, 2, 3, 4, 5].map((number) => epoch({ epoch: number }));
    expect(tuningText(tuning(ended), all)).toBe("Epoch 5 of 5, step 100 of 100");
    expect(tuningText(tuning({ ...ended, state: "cancelled" }))).toBe("Epoch 5 of 5, step 100 of 100");
  });

  it("says so when it is paused", () => {
    expect(tuningText(tuning({ state: "paused" }), [epoch({})])).toBe("Paused. Epoch 2 of 5, step 30 of 100");
    expect(tuningText(tuning({ state: "paused" }))).toBe("Paused. Epoch 2 of 5, step 30 of 100");
  });

  it("counts epochs by their steps where their rows are not at hand", () => {
    expect(tuningText(tuning({}))).toBe("Epoch 2 of 5, step 30 of 100");
    const one = { request: { ...request, epochs: 1 }, progress: { phase: "epochs", done: 27, total: 54 } };
    expect(tuningText(tuning(one))).toBe("Epoch 1 of 1, step 27 of 54");
  });

  it("says the step alone where the epochs are not known", () => {
    const limited = { request: { ...request, epochs: undefined } as unknown as Tuning["request"] };
    expect(tuningText(tuning(limited))).toBe("Step 30 of 100");
  });

  it("leaves out what a time limit leaves open", () => {
    const limited = { request: { ...request, epochs: undefined } as unknown as Tuning["request"] };
    const progress = { phase: "epochs", done: 30, total: 0 };
    expect(tuningText(tuning({ ...limited, progress }), [])).toBe("Epoch 1, step 30");
  });

  it("is that of any job before and after", () => {
    expect(tuningText(tuning({ state: "queued" }), [])).toBe("Waiting for a worker");
    expect(tuningText(tuning({ waiting_for: "the disk" }), [])).toBe("Waiting for the disk");
    expect(tuningText(tuning({ progress: { phase: "images", done: 1, total: 2 } }), [])).toBe("Images: 1 of 2");
  });
});

describe("a title", () => {
  const ofStudy = tuning({ study_id: "s", request: { ...request, seed: 2 } as Tuning["request"] });

  it("has the candidate, as far as it is known", () => {
    expect(tuningTitle("Net", 0, tuning({}))).toBe("Fine-tuning of candidate 0 for Net");
    expect(tuningTitle("Net", undefined, undefined)).toBe("Fine-tuning for Net");
  });

  it("tells those of a study apart by their seeds", () => {
    expect(tuningTitle("Net", 7, ofStudy)).toBe("Fine-tuning of candidate 7 for Net, seed 2, of a study");
  });
});

describe("time", () => {
  it("is expected to go on as it went, with the validation", () => {
    expect(secondsLeft(tuning({}), [epoch({})], 9)).toBe(140);
    expect(secondsLeft(tuning({}), [], 3)).toBe(210);
    expect(secondsLeft(tuning({}), [], undefined)).toBeUndefined();
    expect(secondsLeft(tuning({ state: "succeeded" }), [epoch({})], 3)).toBeUndefined();
  });

  it("counts down from the last epoch where the number of steps is not known", () => {
    const open = tuning({ progress: { phase: "epochs", done: 30, total: 0 } });
    expect(secondsLeft(open, [epoch({})], 3)).toBe(140);
    expect(secondsLeft(open, [], 3)).toBeUndefined();
  });

  it("is measured from step to step, and anew after an interruption", () => {
    const pace = new Pace();
    const see = (done: number, at: number, change: Partial<Tuning> = {}): number | undefined => {
      pace.see(tuning({ progress: { phase: "epochs", done, total: 100 }, ...change }), at);
      return pace.perStep;
    };
    expect([see(10, 1000), see(10, 2000), see(14, 5000)]).toEqual([undefined, undefined, 1]);
    expect([see(12, 6000), see(14, 7000)]).toEqual([undefined, 0.5]);
    expect([see(14, 8000, { state: "queued" }), see(14, 9000)]).toEqual([undefined, undefined]);
  });
});

it("begins with the score of the weights that it begins with", () => {
  const repaired = { kind: "repaired", image_set: "scoring", images: 500, score: { ...score, top1: 0.93 } };
  const candidate = { score, evaluations: [repaired] } as unknown as Candidate;
  expect(beforeTuning(tuning({}), candidate)?.top1).toBe(0.9);
  expect(beforeTuning(tuning({ start: "repaired" }), candidate)?.top1).toBe(0.93);
  expect(beforeTuning(tuning({ start: "repaired" }), { ...candidate, evaluations: [] })).toBeUndefined();
  expect(beforeTuning(tuning({}), undefined)).toBeUndefined();
});

it("says how long it may take", () => {
  const length = (change: object): string => lengthText({ request: { ...request, ...change } });
  expect(length({ epochs: 1 })).toBe("1 epoch");
  expect(length({ minutes: 90 })).toBe("5 epochs, 1 h 30 min at most");
  expect(length({ epochs: undefined, minutes: 0.5 })).toBe("30 s at most");
});

it("looks at the latest epoch unless another one is there by its number", () => {
  const epochs = [epoch({}), epoch({ epoch: 2 }), epoch({ epoch: 3 })];
  expect([2, 3, 9, undefined].map((number) => epochPlace(epochs, number))).toEqual([1, 2, 2, 2]);
});

it("has the filters' norms before the first step as those of epoch 0, where they are known", () => {
  const before = { low: 0, high: 2, counts: [4] };
  expect(normsByEpoch([epoch({})], before).map((one) => [one.epoch, afterEpoch(one)])).toEqual([
    [0, "before the first step"],
    [1, "after epoch 1"],
  ]);
  expect(normsByEpoch([epoch({})], null)).toHaveLength(1);
});

it("takes the median of what the layers have moved by", () => {
  const drift = [0.1, 0.5, 0.2, 0.4].map((relative, index) => ({
    tensor: `conv${index}.weight`,
    kind: "weight" as const,
    relative,
  }));
  const epochs = [epoch({ drift }), epoch({ epoch: 2, drift: drift.slice(1) })];
  expect(driftByEpoch(epochs, "weight").map(({ x, y }) => [x, Number(y.toFixed(9))])).toEqual([
    [1, 0.3],
    [2, 0.4],
  ]);
  expect(driftByEpoch(epochs, "mean")).toEqual([]);
});

it("lists what was asked for by its labels", () => {
  expect(settingsOf(tuning({}))).toEqual([
    { label: "Epochs", value: "5" },
    { label: "Optimizer", value: "SGD" },
    { label: "Batch size", value: "128" },
    { label: "Horizontal flips", value: "on" },
    { label: "Starts from", value: "Adaptive batch norm" },
    { label: "Temperature", value: "2" },
    { label: "Weight of distillation", value: "0.5" },
  ]);
});

it("writes small numbers short", () => {
  expect([0, 0.0117288, 0.00012, 8.19e-7].map(significant)).toEqual(["0", "0.0117", "1.2e-4", "8.2e-7"]);
});
