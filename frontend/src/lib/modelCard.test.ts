import { describe, expect, it } from "vitest";

import type { ModelCard } from "../api/types";
import { cardCosts, cardFacts, cardScores, cardSummary } from "./modelCard";

const score = (top1: number) => ({ top1, top5: 0.99, cross_entropy: 0.3, agreement: null, kl: null });
const intervals = {
  top1: { low: 0.6, high: 0.7 },
  top5: { low: 0.9, high: 1 },
  cross_entropy: null,
  agreement: null,
  kl: null,
};

const card: ModelCard = {
  version: 1,
  producer: "EagleEye 0.1.0",
  file: { format: "onnx", opset: 17, bytes: 576_720, hash: "58ff", sha256: "e3b0" },
  source: { name: "ResNet", file_name: "resnet.pt", hash: "081f", input_shape: [1, 1, 28, 28], classes: 10 },
  weights: "adapted",
  strategy: {
    name: "random",
    index: 16,
    seed: 7,
    budget: { macs: 0.5 },
    importance: { criterion: "l1", aggregate: "sum" },
    groups: [],
  },
  full: { macs: 1000, parameters: 100, bytes: null },
  pruned: { macs: 500, parameters: 60, bytes: 240 },
  data: {
    name: "Fashion",
    hash: "f04b",
    labels_hash: null,
    images: 9500,
    labelled: false,
    split: { calibration: 512, scoring: 1000, test: 1000 },
    seed: 7,
    preprocessing: { mean: [0.286], deviation: [0.353], scale: 1 / 255 },
    class_order: "sorted",
  },
  adaptation: { mode: "cumulative" },
  tuning: null,
  scores: [
    { network: "full", image_set: "scoring", images: 1000, score: score(0.914), intervals },
    { network: "adapted", image_set: "scoring", images: 1000, score: score(0.652), intervals },
    { network: "adapted", image_set: "test", images: 1000, score: score(0.637), intervals },
  ],
  latencies: [],
  warnings: [],
  repeat: { request: null, commands: [], calls: [] },
};

const fact = (of: ModelCard, wanted: string): string | undefined =>
  cardFacts(of).find(({ label }) => label === wanted)?.value;

describe("a model card", () => {
  it("is summed up by the network's accuracy on test images, where it has one", () => {
    expect(cardSummary(card)).toContain("with 50.0% of the MACs of ResNet.");
    expect(cardSummary(card)).toMatch(/Top-1 on 1,000 test images: 63\.7%\.$/);
    expect(cardSummary({ ...card, scores: card.scores.slice(0, 2) })).toContain("1,000 scoring images: 65.2%.");
    expect(cardSummary({ ...card, scores: [] })).not.toContain("Top-1");
  });

  it("marks the scores of the weights in the file", () => {
    expect(cardScores(card).map(({ isOwn }) => isOwn)).toEqual([false, true, true]);
    expect(cardScores(card)[0]).toMatchObject({ top1: "91.40%", interval: "60.0% to 70.0%", images: "1,000 scoring" });
  });

  it("says how it was made, and from what", () => {
    expect(fact(card, "Strategy")).toBe("random, number 16, seed 7");
    expect(fact(card, "Running statistics")).toBe("cumulative, all batches");
    expect(fact(card, "Labels")).toContain("none");
    expect(fact(card, "BLAKE3 of its labels")).toBeUndefined();
    expect(fact(card, "BLAKE3 of the file")).toBe("58ff");
    expect(fact(card, "SHA-256 of the file")).toBe("e3b0");
    expect(fact({ ...card, file: null, data: null }, "BLAKE3 of the file")).toBeUndefined();
  });

  it("says how it was trained", () => {
    const options = { epochs: 2, optimizer: "sgd" } as NonNullable<ModelCard["tuning"]>["options"];
    const tuned = { ...card, tuning: { options, epochs: 2, training_images: 6000 } };
    expect(fact(tuned, "Fine-tuned")).toBe("2 epochs of 6,000 images");
    expect(fact(tuned, "Optimizer")).toBeDefined();
  });

  it("compares costs that are known of both", () => {
    expect(cardCosts(card).map(({ name, kept }) => [name, kept])).toEqual([
      ["MACs of one image", 0.5],
      ["Parameters", 0.6],
    ]);
  });
});
