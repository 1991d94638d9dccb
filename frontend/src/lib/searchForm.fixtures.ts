// What tests of the form of a new search begin with.

import type { Dataset, ModelSummary } from "../api/types";
import type { BudgetFields } from "./budgetFields";
import { emptyForm, type SearchForm } from "./searchForm";

export const model: ModelSummary = {
  id: "m",
  name: "MobileNetV1",
  format: "torchscript",
  bytes: 3_480_325,
  hash: "0".repeat(64),
  sha256: "0".repeat(64),
  input_shape: [1, 1, 28, 28],
  guessed_shape: false,
  macs: 16_000_000,
  parameters: 823_434,
  batch_norms: 27,
  reachable: { min: 0.123, max: 1 },
  classes: 10,
  lineage: null,
  created_at: "2026-11-25T12:00:00Z",
};

export const dataset: Dataset = {
  id: "d",
  name: "Fashion-MNIST",
  kind: "idx",
  bytes: 4_144_521,
  images: 9500,
  labelled: true,
  classes: [
    { index: 0, name: "0", count: 4750 },
    { index: 9, name: "9", count: 4750 },
  ],
  channels: 1,
  width: 28,
  height: 28,
  thumbnails: 24,
  created_at: "2026-11-25T12:00:00Z",
};

export const form = (change: Partial<SearchForm> = {}): SearchForm => ({
  ...emptyForm(),
  modelId: "m",
  datasetId: "d",
  strategies: ["random"],
  calibrationImages: 1000,
  scoringImages: 1500,
  mean: "0.286",
  deviation: "0.353",
  ...change,
});

export const macs = (...percentages: (number | null)[]): BudgetFields[] =>
  percentages.map((percentage) => [{ measure: "macs", percentage }]);
