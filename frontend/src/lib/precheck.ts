// The check before a search is queued: what is asked, and what is shown of the answer.

import type { ClassAnswers, Dataset, ModelSummary, Precheck, PresetFit, SearchRequest } from "../api/types";
import { count, counted, percent } from "./format";
import { hints, missing } from "./searchFaults";
import { emptyForm, type SearchForm } from "./searchForm";
import { toRequest } from "./searchRequest";

/** Fields of the request that the check depends on, as the server names them. */
const FIELDS = ["model_id", "dataset_id", "calibration_images", "scoring_images", "seed", "batch_size"];
const PARTS = ["preprocessing.", "adaptation."];

/**
 * The request that a form is checked by; undefined while a field that matters is empty or wrong. What cannot change the
 * answer is left at its default: a check is asked for again only where the request is another one.
 */
export function checkRequest(form: SearchForm, model?: ModelSummary, dataset?: Dataset): SearchRequest | undefined {
  const wrong = Object.keys({ ...hints(form, model, dataset), ...missing(form) });
  const matters = (field: string): boolean => FIELDS.includes(field) || PARTS.some((part) => field.startsWith(part));
  if (!model || !dataset || wrong.some(matters)) return undefined;
  const { modelId, datasetId, seed, calibrationImages, scoringImages, batchSize, mode, batches, classOrder } = form;
  const { mean, deviation, scale, resize, shorterSide, filter, channelOrder } = form;
  return toRequest({
    ...emptyForm(),
    ...{ modelId, datasetId, seed, calibrationImages, scoringImages, batchSize, mode, batches, classOrder },
    ...{ mean, deviation, scale, resize, shorterSide, filter, channelOrder },
    strategies: ["uniform"],
    kept: form.kept.class_order ? { class_order: form.kept.class_order } : {},
  });
}

/** The answer in a sentence, for those who hear the page as well. */
export function verdict({ score, images, warnings }: Precheck): string {
  const found = warnings.length === 0 ? "No warnings." : `${counted(warnings.length, "warning")}.`;
  const accuracy = score
    ? `The full network classifies ${percent(score.top1)} of ${counted(images, "image")} correctly.`
    : `The images have no labels; the full network answered ${counted(images, "image")}.`;
  return `${accuracy} ${found}`;
}

/** The preset that fits best, with how well; undefined where none is better than the request's own values. */
export const bestFit = ({ best_preset, presets }: Precheck): PresetFit | undefined =>
  best_preset ? presets.find(({ name }) => name === best_preset.name) : undefined;

/** Classes by how often they were answered, then by how often they are right, as many as are wanted. */
export const mostAnswered = (classes: readonly ClassAnswers[], wanted: number): ClassAnswers[] =>
  classes.length <= wanted
    ? [...classes]
    : classes.toSorted((a, b) => b.answers - a.answers || b.labels - a.labels || a.index - b.index).slice(0, wanted);

/** How much of the sample presets were tried on, in words. */
export const presetImages = ({ images, preset_images }: Precheck): string =>
  preset_images === images ? "the sample" : `the first ${count(preset_images)} images of the sample`;
