// What is wrong with the form of a new search, or likely to be, field by field.

import type { Dataset, GroupLimit, ModelSummary, Problem, Reachable } from "../api/types";
import { impossibleLimits, limitHints, missingLimits, outOfReach } from "./budgetFields";
import { rangeErrors, rangeFractions } from "./budgetRange";
import { count, counted } from "./format";
import { arePercentages, chosenLimits, parseGroupLimits } from "./groupLimits";
import { inputChannels, parseNumbers } from "./preprocessing";
import { emptyForm, type FieldErrors, type SearchForm } from "./searchForm";
import { MANUAL } from "./strategies";

/** What of a form decides which budgets are within reach. */
const space = ({ modelId, roundTo, minKeep, groupLimits, groupKeeps }: SearchForm): string =>
  JSON.stringify([modelId, roundTo, minKeep, groupLimits, groupKeeps]);

/** A range that the server has named, and the settings that it holds for. */
export interface NamedRange {
  range: Reachable;
  space: string;
}

/** Notes the range that a refusal of the server names; undefined where it names none of the MACs. */
export function namedRange(form: SearchForm, problem: Problem | undefined): NamedRange | undefined {
  if (!problem?.reachable || !problem.errors?.some(({ field }) => field === "macs")) return undefined;
  return { range: problem.reachable, space: space(form) };
}

/**
 * What part of its MACs a model can be pruned to. It is known for the usual settings; with others, the server names it when it
 * refuses a budget.
 */
export function reachable(
  form: SearchForm,
  model: Pick<ModelSummary, "reachable">,
  named?: NamedRange,
): Reachable | undefined {
  if (named?.space === space(form)) return named.range;
  const usual = emptyForm();
  const isUsual = (["roundTo", "minKeep"] as const).every((field) => form[field] === usual[field]);
  return isUsual && groupLimits(form)?.length === 0 ? model.reachable : undefined;
}

/** All limits of groups; undefined where what is typed is none. */
export function groupLimits({ groupKeeps, groupLimits }: SearchForm): GroupLimit[] | undefined {
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
    [form.vanillaImages, "vanilla_images"],
  ];
  if (form.resize === "shorter_side") numbers.push([form.shorterSide, "preprocessing.resize.size"]);
  need(form.strategies.length > 0, "strategies", "Choose a strategy.");
  const needsBudget = form.strategies.some((name) => name !== MANUAL);
  need(!needsBudget || form.budgets.length > 0 || form.range !== null, "budgets", "Add a budget or a range of them.");
  need(groupLimits(form) !== undefined, "group_limits", GROUP_LIMITS);
  for (const [value, field] of numbers) need(value !== null, field, "Enter a number.");
  need(parseNumbers(form.mean) !== undefined, "preprocessing.mean", "Enter numbers separated by commas.");
  need(parseNumbers(form.deviation) !== undefined, "preprocessing.deviation", "Enter numbers separated by commas.");
  return errors;
}

/** What no server takes, whatever the model and the dataset. */
export const impossible = (form: SearchForm): FieldErrors => ({
  ...impossibleLimits(form.budgets),
  ...rangeErrors(form.range),
  ...numberErrors(form),
});

/** What the server would refuse, said while typing. The server has the last word. */
export function hints(form: SearchForm, model?: ModelSummary, dataset?: Dataset, named?: NamedRange): FieldErrors {
  const range = model && reachable(form, model, named);
  return {
    ...limitHints(form.budgets, range),
    ...rangeHints(form, range),
    ...impossible(form),
    ...modelHints(form, model),
    ...datasetHints(form, model, dataset),
  };
}

/** Ends of a range of budgets that the model cannot be pruned to. */
function rangeHints({ range }: SearchForm, within: Reachable | undefined): FieldErrors {
  if (!range || !within || range.measure !== "macs") return {};
  const [first, last] = [rangeFractions(range)[0], rangeFractions(range).at(-1)];
  const isWithin = (part: number | undefined): boolean =>
    part === undefined || (part >= within.min && part <= within.max);
  return {
    ...(isWithin(first) ? {} : { "budget_range.from": outOfReach(within) }),
    ...(isWithin(last) ? {} : { "budget_range.to": outOfReach(within) }),
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

/** The largest of the server's numbers of images. */
const MOST_IMAGES = 2 ** 32 - 1;

/** What a number may be, in the form's own units. */
const RANGES: { field: string; value: (form: SearchForm) => number | null; min: number; max: number; step?: 1 }[] = [
  { field: "candidates", value: (form) => form.candidates, min: 1, max: 10_000, step: 1 },
  { field: "seed", value: (form) => form.seed, min: 0, max: Number.MAX_SAFE_INTEGER, step: 1 },
  { field: "calibration_images", value: (form) => form.calibrationImages, min: 1, max: MOST_IMAGES, step: 1 },
  { field: "scoring_images", value: (form) => form.scoringImages, min: 1, max: MOST_IMAGES, step: 1 },
  { field: "preprocessing.resize.size", value: shorterSide, min: 1, max: 8192, step: 1 },
  { field: "round_to", value: (form) => form.roundTo, min: 1, max: 1024, step: 1 },
  { field: "min_keep_ratio", value: (form) => form.minKeep, min: 0, max: 100 },
  { field: "batch_size", value: (form) => form.batchSize, min: 1, max: 4096, step: 1 },
  { field: "adaptation.batches", value: (form) => form.batches, min: 1, max: MOST_IMAGES, step: 1 },
  { field: "repaired", value: (form) => form.repaired, min: 0, max: 1000, step: 1 },
  { field: "short_tuned", value: (form) => form.shortTuned, min: 0, max: 1000, step: 1 },
  { field: "short_tune_epochs", value: (form) => form.shortTuneEpochs, min: 1, max: 1000, step: 1 },
  { field: "test_images", value: (form) => form.testImages, min: 0, max: MOST_IMAGES, step: 1 },
  { field: "vanilla_images", value: (form) => form.vanillaImages, min: 0, max: MOST_IMAGES, step: 1 },
];

/** How far from 0 values of the preprocessing may be, and how near those may be that must not be 0. */
const LARGEST = 1e6;
const SMALLEST = 1e-6;

function numberErrors(form: SearchForm): FieldErrors {
  const found: FieldErrors = {};
  if (groupLimits(form) === undefined) found["group_limits"] = GROUP_LIMITS;
  for (const { field, value, min, max, step } of RANGES) {
    const number = value(form);
    if (number === null) continue;
    if (step === 1 && !Number.isInteger(number)) found[field] = "Enter a whole number.";
    else if (number < min || number > max) found[field] = rangeText(min, max);
  }
  const { mode, momentum, scale } = form;
  if (mode === "momentum" && momentum !== null && !(momentum > 0 && momentum <= 1)) {
    found["adaptation.momentum"] = "Above 0 and at most 1.";
  }
  const deviations = parseNumbers(form.deviation) ?? [];
  if (deviations.includes(0)) found["preprocessing.deviation"] = "Deviations must not be 0.";
  else if (!deviations.every(isDivisor)) found["preprocessing.deviation"] = DIVISOR;
  if (scale === 0) found["preprocessing.scale"] = "The scale must not be 0.";
  else if (scale !== null && !isDivisor(scale)) found["preprocessing.scale"] = DIVISOR;
  if ((parseNumbers(form.mean) ?? []).some((value) => Math.abs(value) > LARGEST)) {
    found["preprocessing.mean"] = `From −${count(LARGEST)} to ${count(LARGEST)}.`;
  }
  return found;
}

/** Nobody has to know how many images the server can count. */
const rangeText = (min: number, max: number): string =>
  max === MOST_IMAGES ? `At least ${count(min)}, and no more than there are.` : `From ${count(min)} to ${count(max)}.`;

const DIVISOR = `Between 0.000001 and ${count(LARGEST)}, or the same below 0.`;

const isDivisor = (value: number): boolean => Math.abs(value) >= SMALLEST && Math.abs(value) <= LARGEST;
