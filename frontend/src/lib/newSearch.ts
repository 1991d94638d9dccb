// What the form of a new search begins with, and what another model or dataset changes in it.

import type { Dataset, ModelSummary, Preset, Search, Strategy, StrategyName } from "../api/types";
import { fitted } from "./budgetFields";
import { inputChannels, parseNumbers, presetFields, usualPreset } from "./preprocessing";
import { fromRequest } from "./searchRequest";
import { defaultImages, emptyForm, type SearchForm } from "./searchForm";

/** What there is to choose from, the newest and the likeliest first. */
export interface Choices {
  models: ModelSummary[];
  datasets: Dataset[];
  strategies: Strategy[];
  presets: Preset[];
}

/** What the address of the form names. */
export interface Address {
  modelId: string | null;
  datasetId: string | null;
}

/**
 * The form as it begins: as `kept` where it was typed before, else as another search was asked for, else as is usual. A model and a
 * dataset that the address names come before either; those that there are no longer give way to the newest.
 */
export function begin(choices: Choices, address: Address, origin?: Search, kept?: SearchForm): SearchForm {
  const known = choices.strategies.slice(0, 1).map(({ name }) => name as StrategyName);
  const form = kept ?? (origin ? fromRequest(origin.request) : { ...emptyForm(), strategies: known });
  const modelId = first(choices.models, address.modelId, form.modelId);
  const datasetId = first(choices.datasets, address.datasetId, form.datasetId);
  return withDataset(withModel(form, modelId, choices), datasetId, choices);
}

/** The first id that there is; the newest thing's where there is none of them. */
const first = (things: readonly { id: string }[], ...ids: (string | null)[]): string =>
  ids.find((wanted) => things.some(({ id }) => id === wanted)) ?? things[0]?.id ?? "";

/** The form for another model: its groups are others, and so may be its channels and what it can be pruned to. */
export function withModel(form: SearchForm, modelId: string, { models, presets }: Choices): SearchForm {
  const model = models.find(({ id }) => id === modelId);
  if (!model || form.modelId === modelId) return form;
  const isOwn = form.isOwnPreprocessing && parseNumbers(form.mean)?.length === inputChannels(model);
  const chosen = presets.find(({ name }) => name === form.preset);
  const preset = isOwn ? chosen : usualPreset(presets, model);
  return {
    ...form,
    ...(preset ? { ...presetFields(preset, model), preset: preset.name } : {}),
    modelId,
    groupKeeps: {},
    budgets: fitted(form.budgets, model),
    isOwnPreprocessing: isOwn,
  };
}

/** The form for another dataset: the order of classes is that of one dataset, and so are numbers of images. */
export function withDataset(form: SearchForm, datasetId: string, { datasets }: Choices): SearchForm {
  const dataset = datasets.find(({ id }) => id === datasetId);
  if (!dataset || form.datasetId === datasetId) return form;
  const usual = defaultImages(dataset.images);
  const { class_order: _, ...kept } = form.kept;
  return {
    ...form,
    datasetId,
    classOrder: form.datasetId === "" ? form.classOrder : "",
    kept,
    calibrationImages: usual.calibration,
    scoringImages: usual.scoring,
  };
}

/** Parts of a request that the form keeps and cannot show, without those that a field at this path changes. */
export function released({ kept }: SearchForm, path: string): SearchForm["kept"] {
  const part = path.split(".")[0] ?? "";
  if (!Object.hasOwn(kept, part)) return kept;
  return Object.fromEntries(Object.entries(kept).filter(([name]) => name !== part));
}
