// What the page calls the fields that the API has by a path.

/** Labels of fields, by the path that the server names. */
export const FIELD_LABELS: Record<string, string> = {
  model_id: "Model",
  dataset_id: "Dataset",
  name: "Name",
  location: "Location",
  macs: "Budget",
  parameters: "Budget",
  bytes: "Budget",
  latency: "Budget",
  latency_of: "Latency in",
  budgets: "Budgets",
  budget_range: "Range of budgets",
  "budget_range.measure": "Range of budgets",
  "budget_range.from": "Range of budgets",
  "budget_range.to": "Range of budgets",
  "budget_range.steps": "Range of budgets",
  front: "Pareto front",
  strategies: "Strategies",
  manual: "Strategies",
  uniform_reference: "Compare with the uniform strategy",
  candidates: "Candidates",
  seed: "Seed",
  calibration_images: "Calibration images",
  scoring_images: "Scoring images",
  test_images: "Test images",
  class_order: "Class order",
  racing: "Racing",
  repaired: "Candidates to repair",
  short_tuned: "Candidates to train briefly",
  short_tune_epochs: "Epochs of a brief training",
  vanilla_images: "Images without adaptation",
  batch_size: "Batch size",
  precision: "Numbers",
  round_to: "Round to multiples of",
  min_keep_ratio: "Minimum share kept",
  group_limits: "Groups to leave alone",
  "group_limits.group": "Groups to leave alone",
  "group_limits.keep": "Groups to leave alone",
  "importance.criterion": "Importance",
  "importance.aggregate": "Over several layers",
  "adaptation.mode": "Adaptive batch norm",
  "adaptation.momentum": "Momentum",
  "adaptation.batches": "Calibration batches",
  "preprocessing.mean": "Mean",
  "preprocessing.deviation": "Deviation",
  "preprocessing.scale": "Scale",
  "preprocessing.resize": "Resize",
  "preprocessing.resize.size": "Shorter side",
  "preprocessing.filter": "Filter",
  "preprocessing.channels": "Order of colours",
  start: "Starts from",
  epochs: "Epochs",
  minutes: "Time limit in minutes",
  optimizer: "Optimizer",
  learning_rate: "Learning rate",
  find_learning_rate: "Find the learning rate",
  warmup: "Warm-up",
  momentum: "Momentum",
  weight_decay: "Weight decay",
  clip_norm: "Gradient clipping",
  micro_batch: "Micro-batch size",
  flip: "Horizontal flips",
  crop_padding: "Crop padding",
  crop_area: "Crop area",
  mixup: "Mixup",
  label_smoothing: "Label smoothing",
  distillation: "Distillation",
  "distillation.temperature": "Temperature",
  "distillation.weight": "Weight of distillation",
  average: "Moving average",
  patience: "Patience",
  mixed_precision: "Mixed precision",
  input_shape: "Input shape",
  file: "File",
  data: "External weights",
  images: "Images",
  labels: "Labels",
};

/** What the page calls a field; one that it does not have goes by its path. */
export function labelOf(field: string): string {
  const place = /^budgets\.(\d+)\./.exec(field)?.[1];
  // The first budget is not one of the list.
  return place === undefined ? (FIELD_LABELS[field] ?? field) : `Budget ${Number(place) + 2}`;
}

/** Paths that can be nothing but the name of a field: everyday words are left alone. */
const PATHS = Object.keys(FIELD_LABELS).filter((path) => path === "macs" || /[_.]/.test(path));
/** As a word of its own, or set as code. */
const PATH = new RegExp(`(\`?)\\b(${PATHS.map((path) => path.replace(".", "\\.")).join("|")})\\b\\1`, "g");

/** A sentence of the server's with the page's labels in place of its paths, and a capital letter in front. */
export function inWords(detail: string): string {
  const words = detail.replace(PATH, (_, _quote, path: string) => `“${labelOf(path)}”`);
  return words.charAt(0).toUpperCase() + words.slice(1);
}
