// What a search will do, as far as its form says it.

import type { Dataset, Limits, ModelSummary, Strategy } from "../api/types";
import { toLimits } from "./budgetFields";
import { rangeFractions } from "./budgetRange";
import type { SearchForm } from "./searchForm";
import { MANUAL, perBudget, rounds } from "./strategies";

/** The budgets in the order in which they are asked for, each once; those with an empty field are left out. */
export function askedBudgets({ budgets, range }: Pick<SearchForm, "budgets" | "range">): Limits[] {
  const single = budgets.filter((limits) => limits.every(({ percentage }) => percentage !== null)).map(toLimits);
  const ranged = rangeFractions(range).map((part): Limits => ({ [range?.measure ?? "macs"]: part }));
  const known = new Set<string>();
  return [...single, ...ranged].filter((limits) => {
    const text = JSON.stringify(Object.entries(limits).sort());
    return !known.has(text) && known.add(text);
  });
}

/** What the cost of strategies depends on. */
export const asked = (form: SearchForm) => ({
  candidates: form.candidates,
  budgets: askedBudgets(form).length,
  front: form.front,
  written: form.manual.length,
});

/** Candidates that a search has at most, the reference not counted; undefined where fields are empty. */
export function mostCandidates(form: SearchForm, known: readonly Strategy[]): number | undefined {
  const chosen = known.filter(({ name }) => (form.strategies as string[]).includes(name));
  const each = chosen.map((strategy) => {
    const most = perBudget(strategy, asked(form));
    return most === undefined ? undefined : most * rounds(strategy, asked(form));
  });
  if (chosen.length === 0 || each.includes(undefined)) return undefined;
  return each.reduce<number>((sum, most) => sum + (most ?? 0), 0);
}

/** Evaluations of the uniform reference, which nobody has to ask for: one under each budget. */
export const references = (form: SearchForm): number =>
  form.uniformReference && !form.strategies.includes("uniform") ? askedBudgets(form).length : 0;

/** The test images of a search that says no number, where as many are left over. */
export const DEFAULT_TEST_IMAGES = 2000;

export interface ImagePlan {
  calibration: number;
  scoring: number;
  test: number;
  unused: number;
}

/** How the images of a dataset will be divided; undefined while there are too few, or a field is empty. */
export function imagePlan(form: SearchForm, dataset: Pick<Dataset, "images"> | undefined): ImagePlan | undefined {
  const { calibrationImages: calibration, scoringImages: scoring } = form;
  if (!dataset || !calibration || !scoring || calibration + scoring > dataset.images) return undefined;
  const left = dataset.images - calibration - scoring;
  const test = Math.min(left, form.testImages ?? DEFAULT_TEST_IMAGES);
  return { calibration, scoring, test, unused: left - test };
}

/** What a budget comes to in MACs; undefined where it limits something else. */
export const budgetMacs = ({ macs }: Limits, model: Pick<ModelSummary, "macs"> | undefined): number | undefined =>
  macs == null || !model ? undefined : macs * model.macs;

/** Whether a front is asked for and one of the strategies has it to offer. */
export const hasFront = (form: SearchForm): boolean => form.front && form.strategies.includes("evolutionary");

/** Whether nothing but strategies written by hand is evaluated, for which there are no budgets. */
export const isByHand = ({ strategies }: SearchForm): boolean =>
  strategies.length > 0 && strategies.every((name) => name === MANUAL);
