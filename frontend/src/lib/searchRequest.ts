// The request that the form of a new search stands for, and the form that a request fills in.

import type { Limits, SearchRequest } from "../api/types";
import { limitLatency, MEASURES, toLimits, type BudgetFields } from "./budgetFields";
import { inPercent, rangeFields, toRange } from "./budgetRange";
import { classOrderText, parseClassOrder } from "./classOrder";
import { fraction } from "./format";
import { groupLimitsText } from "./groupLimits";
import { preprocessingFields, toPreprocessing } from "./preprocessing";
import { groupLimits } from "./searchFaults";
import { emptyForm, type SearchForm } from "./searchForm";
import { MANUAL } from "./strategies";

/** The request that a complete form stands for. Call it when nothing is `missing`. */
export function toRequest(form: SearchForm): SearchRequest {
  const [first = [], ...further] = form.budgets;
  const limits = groupLimits(form) ?? [];
  const order = parseClassOrder(form.classOrder);
  const momentum = form.mode === "momentum" && form.momentum !== null ? { momentum: form.momentum } : {};
  const isOfLatency = limitLatency(form.budgets) || form.range?.measure === "latency";
  return {
    model_id: form.modelId,
    dataset_id: form.datasetId,
    name: form.name.trim() || null,
    ...(form.template === "" ? {} : { template: form.template }),
    strategies: [...form.strategies],
    ...(form.strategies.includes(MANUAL) ? { manual: form.manual } : {}),
    uniform_reference: form.uniformReference,
    ...toLimits(first),
    ...(further.length === 0 ? {} : { budgets: further.map(toLimits) }),
    ...(form.range === null ? {} : { budget_range: toRange(form.range) }),
    ...(isOfLatency ? { latency_of: form.latencyOf } : {}),
    front: form.front,
    candidates: form.candidates ?? 0,
    seed: form.seed ?? 0,
    calibration_images: form.calibrationImages ?? 0,
    scoring_images: form.scoringImages ?? 0,
    ...(form.testImages === null ? {} : { test_images: form.testImages }),
    repaired: form.repaired ?? 0,
    short_tuned: form.shortTuned ?? 0,
    short_tune_epochs: form.shortTuneEpochs ?? 0,
    vanilla_images: form.vanillaImages ?? 0,
    racing: form.racing,
    batch_size: form.batchSize ?? 0,
    ...(form.precision === "float32" ? {} : { precision: form.precision }),
    ...(form.roundTo === null ? {} : { round_to: form.roundTo }),
    min_keep_ratio: fraction(form.minKeep),
    importance: { criterion: form.criterion, aggregate: form.aggregate },
    ...(limits.length === 0 ? {} : { group_limits: limits }),
    adaptation: { mode: form.mode, ...momentum, ...(form.batches === null ? {} : { batches: form.batches }) },
    ...(order === undefined ? {} : { class_order: order }),
    preprocessing: toPreprocessing(form),
    ...form.kept,
  };
}

/** The form that stands for another search's request, but for its name. What the form cannot show is kept as it is. */
export function fromRequest(request: SearchRequest): SearchForm {
  const shown = { ...emptyForm(), budgets: [], ...formOf(request), name: "", isOwnPreprocessing: true };
  const kept = unshown(request, toRequest(shown));
  // What is kept is not shown in part.
  if (kept.group_limits) shown.groupLimits = "";
  if (kept.class_order) shown.classOrder = "";
  return { ...shown, kept };
}

/** The fields that some of a request's fields fill in. */
export function formOf(request: Partial<SearchRequest>): Partial<SearchForm> {
  const { adaptation, importance, preprocessing, group_limits: limits, class_order: order } = request;
  const found: Partial<Record<keyof SearchForm, unknown>> = {
    ...budgetsOf(request),
    modelId: request.model_id,
    datasetId: request.dataset_id,
    name: request.name,
    template: request.template,
    strategies: request.strategies && [...request.strategies],
    manual: request.manual,
    uniformReference: request.uniform_reference,
    front: request.front,
    latencyOf: request.latency_of,
    candidates: request.candidates,
    seed: request.seed,
    calibrationImages: request.calibration_images,
    scoringImages: request.scoring_images,
    testImages: request.test_images,
    repaired: request.repaired,
    shortTuned: request.short_tuned,
    shortTuneEpochs: request.short_tune_epochs,
    vanillaImages: request.vanilla_images,
    racing: request.racing,
    batchSize: request.batch_size,
    precision: request.precision,
    roundTo: request.round_to,
    minKeep: request.min_keep_ratio === undefined ? undefined : inPercent(request.min_keep_ratio),
    criterion: importance?.criterion,
    aggregate: importance?.aggregate,
    ...(adaptation
      ? { mode: adaptation.mode, momentum: adaptation.momentum, batches: adaptation.batches ?? null }
      : {}),
    groupLimits: limits && groupLimitsText(limits),
    classOrder: order === undefined ? undefined : order === "sorted" ? "" : classOrderText(order, Infinity),
    ...(preprocessing ? preprocessingFields(preprocessing) : {}),
  };
  const said = Object.entries(found).filter(([, value]) => value !== undefined);
  return Object.fromEntries(said) as Partial<SearchForm>;
}

/** The budgets of a request, where it has some: one list and a range. */
function budgetsOf(request: Partial<SearchRequest>): Pick<SearchForm, "budgets" | "range"> | Record<string, never> {
  const all = [request, ...(request.budgets ?? [])].map(budgetFields).filter((budget) => budget.length > 0);
  const range = request.budget_range ? rangeFields(request.budget_range) : null;
  return all.length > 0 || range ? { budgets: all, range } : {};
}

const budgetFields = (limits: Limits): BudgetFields =>
  MEASURES.flatMap((measure) => {
    const part = limits[measure];
    return part == null ? [] : [{ measure, percentage: inPercent(part) }];
  });

/** What of a request comes out as something else when it has gone through the form; budgets always come out as they went in. */
function unshown(request: SearchRequest, made: SearchRequest): Partial<SearchRequest> {
  const usual = toRequest(emptyForm());
  const names = Object.keys(request).filter((name) => name !== "name" && !BUDGETS.includes(name));
  const lost = names.filter((name) => {
    const key = name as keyof SearchRequest;
    const [was, is] = [request[key] ?? usual[key], made[key] ?? usual[key]];
    return written(was) !== written(is);
  });
  return Object.fromEntries(lost.map((name) => [name, request[name as keyof SearchRequest]]));
}

/** Left to `budgetsOf`, which may sort them otherwise; and what makes no difference without a limit of latency. */
const BUDGETS: readonly string[] = [...MEASURES, "budgets", "budget_range", "latency_of"];

/** Fields of a request whose value is the default where they are left out, with that value. */
const EMPTY: readonly string[] = ["null", "[]", '"sorted"'];

/** A value as text, the same for what means the same: whatever the order of names, and to ten digits. */
function written(value: unknown): string {
  const text = JSON.stringify(value ?? null, (_, part: unknown) => {
    if (typeof part === "number" && !Number.isInteger(part)) return Number(part.toPrecision(10));
    if (typeof part !== "object" || part === null || Array.isArray(part)) return part;
    return Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
  return EMPTY.includes(text) ? "" : text;
}
