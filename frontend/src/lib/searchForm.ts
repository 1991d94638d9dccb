// The form of a new search: what it starts with, what is likely to be wrong, and the request that it makes.

import type {
  Criterion,
  Dataset,
  GroupLimit,
  LatencyOf,
  ModelSummary,
  Reachable,
  SearchRequest,
  Strategy,
  StrategyName,
} from "../api/types";
import { limitHints, limitLatency, missingLimits, toLimits, usualBudgets, type BudgetFields } from "./budgetFields";
import { parseClassOrder } from "./classOrder";
import { count, counted, fraction } from "./format";
import { arePercentages, chosenLimits, parseGroupLimits, type GroupKeeps } from "./groupLimits";
import {
  emptyPreprocessing,
  inputChannels,
  parseNumbers,
  toPreprocessing,
  type PreprocessingFields,
} from "./preprocessing";

/** The fields as they are typed; a number is null while its field is empty. */
export interface SearchForm extends PreprocessingFields {
  name: string;
  modelId: string;
  datasetId: string;
  /** Each gets a winner of its own. */
  budgets: BudgetFields[];
  /** Where the latency of those that limit it is measured. */
  latencyOf: LatencyOf;
  strategies: StrategyName[];
  candidates: number | null;
  seed: number | null;
  calibrationImages: number | null;
  scoringImages: number | null;
  /** Name of the preset that was chosen last, which may have been changed since; empty for none. */
  preset: string;
  /** Empty stands for multiples of 8 where groups allow it. */
  roundTo: number | null;
  /** Percent of each group's units. */
  minKeep: number | null;
  batchSize: number | null;
  mode: "cumulative" | "momentum";
  momentum: number | null;
  /** Empty stands for all calibration images once. */
  batches: number | null;
  criterion: Criterion;
  /** Names and patterns with commas between them, as `parseGroupLimits` reads them. */
  groupLimits: string;
  /** Chosen in the table of groups; what is typed comes on top. */
  groupKeeps: GroupKeeps;
  /** Empty stands for the dataset's own order. */
  classOrder: string;
  racing: boolean;
  /** Best candidates of each budget that are repaired at the end. */
  repaired: number | null;
  /** Best candidates of each budget that are trained for a short time at the end, and for how many epochs. */
  shortTuned: number | null;
  shortTuneEpochs: number | null;
  /** Empty stands for what is left over, up to a number that the server knows. */
  testImages: number | null;
}

/** The fields at fault, by the path that the server would name, each with what would be right. */
export type FieldErrors = Record<string, string>;

export const emptyForm = (): SearchForm => ({
  name: "",
  modelId: "",
  datasetId: "",
  budgets: usualBudgets(),
  latencyOf: "onnxruntime_one_thread",
  strategies: [],
  candidates: 48,
  seed: 0,
  calibrationImages: null,
  scoringImages: null,
  ...emptyPreprocessing(),
  preset: "",
  roundTo: null,
  minKeep: 10,
  batchSize: 128,
  mode: "cumulative",
  momentum: 0.1,
  batches: null,
  criterion: "l1",
  groupLimits: "",
  groupKeeps: {},
  classOrder: "",
  racing: true,
  repaired: 0,
  shortTuned: 0,
  shortTuneEpochs: 3,
  testImages: null,
});

/** A strategy that takes keep counts, which this form has no fields for. */
const MANUAL = "manual";

/** The strategies that the form offers. */
export const offered = (strategies: readonly Strategy[]): Strategy[] =>
  strategies.filter(({ name }) => name !== MANUAL);

/** Candidates that a search has at most, the reference under each budget not counted; undefined where fields are empty. */
export function mostCandidates(
  { strategies, candidates, budgets }: SearchForm,
  known: readonly Strategy[],
): number | undefined {
  if (candidates === null || strategies.length === 0) return undefined;
  const most = (name: string): number =>
    Math.min(candidates, known.find((one) => one.name === name)?.most ?? candidates);
  return budgets.length * strategies.reduce((sum, name) => sum + most(name), 0);
}

/** Calibration and scoring images to start with: the usual numbers, or shares of a small dataset. */
export function defaultImages(images: number): { calibration: number; scoring: number } {
  const share = (fraction: number, usual: number): number => {
    const wanted = Math.floor(Math.min(usual, images * fraction));
    return Math.max(1, wanted > 100 ? wanted - (wanted % 50) : wanted);
  };
  return { calibration: share(0.3, 3200), scoring: share(0.5, 5000) };
}

/** What part of its MACs a model can be pruned to. It is known for the usual choice of strategies; with another, the server finds out. */
export function reachable(form: SearchForm, model: Pick<ModelSummary, "reachable">): Reachable | undefined {
  const usual = emptyForm();
  const isUsual = (["roundTo", "minKeep"] as const).every((field) => form[field] === usual[field]);
  return isUsual && groupLimits(form)?.length === 0 ? model.reachable : undefined;
}

/** All limits of groups; undefined where what is typed is none. */
function groupLimits({ groupKeeps, groupLimits }: SearchForm): GroupLimit[] | undefined {
  const typed = parseGroupLimits(groupLimits);
  return typed && arePercentages(groupKeeps) ? [...chosenLimits(groupKeeps), ...typed] : undefined;
}

const GROUP_LIMITS =
  "Enter names or patterns separated by commas, each with = and a percentage or without: layer1.*=50%. Percentages go from 0 to 100.";

/** Fields that cannot be sent at all: without them there is no request. */
export function missing(form: SearchForm): FieldErrors {
  const errors: FieldErrors = missingLimits(form.budgets);
  const need = (holds: boolean, field: string, detail: string): void => {
    if (!holds) errors[field] = detail;
  };
  need(form.modelId !== "", "model_id", "Choose a model.");
  need(form.datasetId !== "", "dataset_id", "Choose a dataset.");
  const numbers: [number | null, string][] = [
    [form.candidates, "candidates"],
    [form.seed, "seed"],
    [form.calibrationImages, "calibration_images"],
    [form.scoringImages, "scoring_images"],
    [form.minKeep, "min_keep_ratio"],
    [form.batchSize, "batch_size"],
    [form.repaired, "repaired"],
    [form.shortTuned, "short_tuned"],
    [form.shortTuneEpochs, "short_tune_epochs"],
  ];
  if (form.resize === "shorter_side") numbers.push([form.shorterSide, "preprocessing.resize.size"]);
  need(form.strategies.length > 0, "strategies", "Choose a strategy.");
  need(groupLimits(form) !== undefined, "group_limits", GROUP_LIMITS);
  for (const [value, field] of numbers) need(value !== null, field, "Enter a number.");
  need(parseNumbers(form.mean) !== undefined, "preprocessing.mean", "Enter numbers separated by commas.");
  need(parseNumbers(form.deviation) !== undefined, "preprocessing.deviation", "Enter numbers separated by commas.");
  return errors;
}

/** What the server would refuse, said while typing. The server has the last word. */
export function hints(form: SearchForm, model?: ModelSummary, dataset?: Dataset): FieldErrors {
  return {
    ...limitHints(form.budgets, model && reachable(form, model)),
    ...rangeHints(form),
    ...modelHints(form, model),
    ...datasetHints(form, model, dataset),
  };
}

function modelHints(form: SearchForm, model: ModelSummary | undefined): FieldErrors {
  const found: FieldErrors = {};
  if (!model) return found;
  const channels = inputChannels(model);
  for (const field of ["mean", "deviation"] as const) {
    const values = parseNumbers(form[field]);
    if (values && values.length !== channels) {
      found[`preprocessing.${field}`] =
        `The model's input has ${counted(channels, "channel")}, so enter as many values.`;
    }
  }
  if (parseNumbers(form.deviation)?.includes(0)) found["preprocessing.deviation"] = "Deviations must not be 0.";
  return found;
}

function datasetHints(form: SearchForm, model: ModelSummary | undefined, dataset: Dataset | undefined): FieldErrors {
  const found: FieldErrors = {};
  if (!dataset) return found;
  const wanted = (form.calibrationImages ?? 0) + (form.scoringImages ?? 0);
  if (wanted > dataset.images) {
    found["scoring_images"] =
      `Calibration and scoring images never overlap: ${count(wanted)} in total is more than the dataset's ${count(dataset.images)}.`;
  }
  if (wanted <= dataset.images && wanted + (form.testImages ?? 0) > dataset.images) {
    found["test_images"] = `Calibration and scoring images leave ${count(dataset.images - wanted)} of the dataset's.`;
  }
  if (!model) return found;
  const channels = inputChannels(model);
  const largest = Math.max(...dataset.classes.map((class_) => class_.index));
  if (dataset.channels !== channels && !(dataset.channels === 1 && channels === 3)) {
    found["dataset_id"] =
      `The model takes images with ${counted(channels, "channel")}; this dataset's have ${count(dataset.channels)}.`;
  } else if (model.classes !== null && largest >= model.classes) {
    found["dataset_id"] = `The labels go up to ${largest}, but the model has ${count(model.classes)} classes.`;
  }
  return found;
}

const shorterSide = (form: SearchForm): number | null => (form.resize === "shorter_side" ? form.shorterSide : null);

/** What a number may be, in the form's own units. */
const RANGES: { field: string; value: (form: SearchForm) => number | null; min: number; max?: number; step?: 1 }[] = [
  { field: "candidates", value: (form) => form.candidates, min: 1, max: 10_000, step: 1 },
  { field: "seed", value: (form) => form.seed, min: 0, max: Number.MAX_SAFE_INTEGER, step: 1 },
  { field: "calibration_images", value: (form) => form.calibrationImages, min: 1, step: 1 },
  { field: "scoring_images", value: (form) => form.scoringImages, min: 1, step: 1 },
  { field: "preprocessing.resize.size", value: shorterSide, min: 1, max: 8192, step: 1 },
  { field: "round_to", value: (form) => form.roundTo, min: 1, max: 1024, step: 1 },
  { field: "min_keep_ratio", value: (form) => form.minKeep, min: 0, max: 100 },
  { field: "batch_size", value: (form) => form.batchSize, min: 1, max: 4096, step: 1 },
  { field: "adaptation.momentum", value: (form) => form.momentum, min: 0, max: 1 },
  { field: "adaptation.batches", value: (form) => form.batches, min: 1, step: 1 },
  { field: "repaired", value: (form) => form.repaired, min: 0, max: 1000, step: 1 },
  { field: "short_tuned", value: (form) => form.shortTuned, min: 0, max: 1000, step: 1 },
  { field: "short_tune_epochs", value: (form) => form.shortTuneEpochs, min: 1, max: 1000, step: 1 },
  { field: "test_images", value: (form) => form.testImages, min: 0, step: 1 },
];

function rangeHints(form: SearchForm): FieldErrors {
  const found: FieldErrors = {};
  if (groupLimits(form) === undefined) found["group_limits"] = GROUP_LIMITS;
  for (const { field, value, min, max, step } of RANGES) {
    const number = value(form);
    if (number === null) continue;
    if (step === 1 && !Number.isInteger(number)) found[field] = "Enter a whole number.";
    else if (number < min || (max !== undefined && number > max)) {
      found[field] = max === undefined ? `At least ${count(min)}.` : `From ${count(min)} to ${count(max)}.`;
    }
  }
  return found;
}

/** What works and may yet be a mistake, each in a sentence. */
export function notices(model?: ModelSummary, dataset?: Dataset): string[] {
  if (!model || !dataset) return [];
  const found: string[] = [];
  const [, , height, width] = model.input_shape;
  if (width !== undefined && (width !== dataset.width || height !== dataset.height)) {
    found.push(
      `The images are ${dataset.width} × ${dataset.height} and the model takes ${width} × ${height}. They will be resized, and ` +
        "a network trained at another size may classify them poorly.",
    );
  }
  if (model.guessed_shape) {
    found.push("The model’s input shape was guessed from its weights; you can set it on the model’s page.");
  }
  return found;
}

/** Scoring images on which the difference that adaptive batch norm makes is shown. */
const VANILLA_IMAGES = 512;

/** The request that a complete form stands for. Call it when nothing is `missing`. */
export function toRequest(form: SearchForm): SearchRequest {
  const [first = [], ...further] = form.budgets;
  const limits = groupLimits(form) ?? [];
  const order = parseClassOrder(form.classOrder);
  const momentum = form.mode === "momentum" && form.momentum !== null ? { momentum: form.momentum } : {};
  return {
    model_id: form.modelId,
    dataset_id: form.datasetId,
    name: form.name.trim() || null,
    strategies: [...form.strategies],
    uniform_reference: true,
    ...toLimits(first),
    ...(further.length === 0 ? {} : { budgets: further.map(toLimits) }),
    ...(limitLatency(form.budgets) ? { latency_of: form.latencyOf } : {}),
    front: false,
    candidates: form.candidates ?? 0,
    seed: form.seed ?? 0,
    calibration_images: form.calibrationImages ?? 0,
    scoring_images: form.scoringImages ?? 0,
    ...(form.testImages === null ? {} : { test_images: form.testImages }),
    repaired: form.repaired ?? 0,
    short_tuned: form.shortTuned ?? 0,
    short_tune_epochs: form.shortTuneEpochs ?? 0,
    vanilla_images: VANILLA_IMAGES,
    racing: form.racing,
    batch_size: form.batchSize ?? 0,
    ...(form.roundTo === null ? {} : { round_to: form.roundTo }),
    min_keep_ratio: fraction(form.minKeep),
    importance: { criterion: form.criterion, aggregate: "sum" },
    ...(limits.length === 0 ? {} : { group_limits: limits }),
    adaptation: { mode: form.mode, ...momentum, ...(form.batches === null ? {} : { batches: form.batches }) },
    ...(order === undefined ? {} : { class_order: order }),
    preprocessing: toPreprocessing(form),
  };
}
