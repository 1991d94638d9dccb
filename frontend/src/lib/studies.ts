// Studies: the form of one, and what its report means in words and marks.

import type {
  BudgetStudy,
  CandidateRow,
  CandidateWeights,
  Correlation,
  EvaluationKind,
  PredictorStudy,
  Study,
  StudyRequest,
} from "../api/types";
import type { CsvValue } from "./csv";
import { count, counted, NONE } from "./format";
import { isFinal } from "./jobs";
import type { FieldErrors } from "./searchForm";

/** The fields as they are set, by the paths that the server names. */
export interface StudyForm {
  /** Of each budget. Null while its field is empty. */
  candidates: number | null;
  epochs: number | null;
  /** As it is typed: `1, 2`. */
  seeds: string;
  start: CandidateWeights;
  /** Whether half of the images are mirrored, which is not for digits. */
  flip: boolean;
}

const MOST_CANDIDATES = 100;
/** As many as a study is given, where there are so many. */
const USUAL_CANDIDATES = 24;
/** Fewer decide nothing. */
const FEWEST_TO_DECIDE = 12;
const MOST_EPOCHS = 10_000;
const MOST_SEEDS = 4;

export const emptyForm = (): StudyForm => ({
  candidates: USUAL_CANDIDATES,
  epochs: 2,
  seeds: "1, 2",
  start: "adapted",
  flip: true,
});

/** The seeds of a text like `1, 2`; undefined where it has something else. */
export function seedsOf(text: string): number[] | undefined {
  const words = text.split(/[\s,]+/).filter(Boolean);
  const seeds = words.map(Number);
  return seeds.every((seed) => Number.isSafeInteger(seed) && seed >= 0) ? seeds : undefined;
}

/** Fields that cannot be sent as they are. */
export function missing({ candidates, epochs, seeds }: StudyForm): FieldErrors {
  return {
    ...(candidates === null ? { candidates: "Enter a number of candidates." } : {}),
    ...(epochs === null ? { "options.epochs": "Enter a number of epochs." } : {}),
    ...(seeds.trim() === "" ? { seeds: "Enter at least one seed." } : {}),
  };
}

/** As many candidates of a budget as can be asked for, of so many found under each. */
export const mostOf = (found: readonly number[]): number => Math.min(MOST_CANDIDATES, Math.max(2, ...found));

/** As many as are asked for unless somebody says otherwise. */
export const usualOf = (found: readonly number[]): number => Math.min(USUAL_CANDIDATES, mostOf(found));

/** Why a study of so many candidates found under each budget decides nothing; undefined where it may. */
export function tooFew(found: readonly number[]): string | undefined {
  const short = found.filter((own) => own < FEWEST_TO_DECIDE);
  const most = Math.max(0, ...found);
  if (short.length === 0 || most === 0) return undefined;
  if (short.length < found.length) {
    return `Some budgets have fewer than ${FEWEST_TO_DECIDE} candidates: the study cannot decide anything about those.`;
  }
  const has = `${counted(most, "candidate")}${found.length > 1 ? " of a budget at most" : ""}`;
  return (
    `This search has ${has}, fewer than ${FEWEST_TO_DECIDE}: a study of it cannot decide anything. ` +
    `One of a search with more candidates (${USUAL_CANDIDATES}), without a race, could.`
  );
}

/** What the server would refuse or the search cannot give, said while typing. */
export function hints({ candidates, epochs, seeds }: StudyForm, most = MOST_CANDIDATES): FieldErrors {
  const errors: FieldErrors = {};
  if (candidates !== null && !isWithin(candidates, 2, most)) {
    errors.candidates = most > 2 ? `A whole number from 2 to ${count(most)}.` : "A study takes 2 of this search.";
  }
  if (epochs !== null && !isWithin(epochs, 1, MOST_EPOCHS)) {
    errors["options.epochs"] = `A whole number from 1 to ${count(MOST_EPOCHS)}.`;
  }
  const found = seedsOf(seeds);
  if (!found) errors.seeds = "Whole numbers with commas between them.";
  else if (new Set(found).size < found.length) errors.seeds = "Each seed once.";
  else if (found.length > MOST_SEEDS) errors.seeds = `At most ${MOST_SEEDS} seeds.`;
  return errors;
}

/** What a form asks for. Call it when nothing is `missing`. */
export const toRequest = ({ candidates, epochs, seeds, start, flip }: StudyForm): StudyRequest => ({
  candidates: candidates ?? 0,
  seeds: seedsOf(seeds) ?? [],
  options: { ...(epochs === null ? {} : { epochs }), start, flip },
});

/** How many networks were found under each budget: each once, and no probes. */
export function networksOf(budgets: number, candidates: readonly CandidateRow[]): number[] {
  return Array.from({ length: budgets }, (_, place) => {
    const own = candidates.filter(({ origin }) => origin.budget === place && !origin.is_probe);
    return new Set(own.map(({ kept }) => kept.join())).size;
  });
}

/** How many fine-tunings so many candidates found under each budget come to. */
export function fineTunings(form: StudyForm, found: readonly number[]): number {
  const most = form.candidates ?? 0;
  const candidates = found.reduce((sum, own) => sum + Math.min(own, most), 0);
  return candidates * (seedsOf(form.seeds)?.length ?? 0);
}

/** What was asked for: `12 candidates, 2 seeds, 3 epochs`. */
export function planText({ members, request }: Pick<Study, "members" | "request">): string {
  const candidates = new Set(members.map(({ candidate_id }) => candidate_id)).size;
  const { epochs, minutes } = request.options;
  const length = epochs ? counted(epochs, "epoch") : minutes ? counted(minutes, "minute") : undefined;
  const seeds = counted(request.seeds?.length ?? 0, "seed");
  return [counted(candidates, "candidate"), seeds, length].filter(Boolean).join(", ");
}

/** How far a study is. */
export function progressOf({ members }: Pick<Study, "members">): { done: number; total: number; text: string } {
  const done = members.filter(({ state }) => state === "succeeded").length;
  const running = members.filter(({ state }) => state === "running").length;
  const text = `Fine-tunings: ${count(done)} of ${count(members.length)}`;
  return { done, total: members.length, text: running > 0 ? `${text}, ${count(running)} running` : text };
}

/** What fine-tunings have failed of, with how many; and what the next one waits for. */
export function troubles({ members }: Pick<Study, "members">): { text: string; tuningId: string }[] {
  const found = new Map<string, { count: number; tuningId: string }>();
  for (const { error, waiting_for, state, tuning_id } of members) {
    const text = error ?? (waiting_for !== null && !isFinal(state) ? `Waiting for ${waiting_for}` : undefined);
    if (text === undefined) continue;
    const known = found.get(text) ?? { count: 0, tuningId: tuning_id };
    found.set(text, { ...known, count: known.count + 1 });
  }
  return [...found].map(([text, { count: many, tuningId }]) => ({
    text: `${counted(many, "fine-tuning")}: ${text}`,
    tuningId,
  }));
}

/** A coefficient of several. */
export const of = (correlations: readonly Correlation[], name: Correlation["coefficient"]): Correlation | undefined =>
  correlations.find(({ coefficient }) => coefficient === name);

const number = (value: number): string => value.toFixed(2).replace("-", "−");

/** A coefficient with its interval: `0.79 (0.36 to 0.99)`. */
export function correlationText(correlation: Correlation | null | undefined): string {
  if (!correlation || correlation.value === null) return NONE;
  const { value, interval } = correlation;
  return interval ? `${number(value)} (${number(interval.low)} to ${number(interval.high)})` : number(value);
}

type Named = Pick<PredictorStudy, "predictor" | "name">;
type Evaluation = Extract<PredictorStudy["predictor"], { of: "evaluation" }>;

const KINDS: Record<EvaluationKind, string> = {
  adapted: "adaptive BN",
  unadapted: "vanilla",
  repaired: "repaired",
  short_tuned: "short training",
};
const MEASURES: Record<Evaluation["measure"], string> = {
  top1: "top-1",
  cross_entropy: "minus cross-entropy",
  kl: "minus KL",
};

/** What a predictor is, whatever images it is from: `adaptive BN, top-1`. */
export const shortName = ({ predictor, name }: Named): string =>
  predictor.of === "evaluation" ? `${KINDS[predictor.kind]}, ${MEASURES[predictor.measure]}` : name;

/** A predictor as people read it: `adaptive BN, top-1 (512 calibration, 800 scoring images)`. */
export function predictorName(one: Named): string {
  const { predictor } = one;
  if (predictor.of !== "evaluation") return one.name;
  const { calibration_images: calibration, scoring_images: scoring } = predictor;
  const before = calibration ? `${count(calibration)} calibration, ` : "";
  return `${shortName(one)} (${before}${counted(scoring, "scoring image")})`;
}

/**
 * Predictors in the order of their Spearman's, the best first; those that are not known of all candidates come last. As they are where the
 * study decides nothing.
 */
export function byAgreement(study: BudgetStudy): { predictor: PredictorStudy; place: number }[] {
  const isWhole = ({ candidates }: PredictorStudy): boolean => candidates === study.candidates.length;
  const value = (predictor: PredictorStudy): number => of(predictor.correlations, "spearman")?.value ?? -Infinity;
  const inOrder = study.predictors.map((predictor, place) => ({ predictor, place }));
  // An order by coefficients that decide nothing would rank by chance.
  if (study.undecided.length > 0) return inOrder;
  return inOrder.sort(
    (a, b) =>
      Number(isWhole(b.predictor)) - Number(isWhole(a.predictor)) ||
      value(b.predictor) - value(a.predictor) ||
      a.place - b.place,
  );
}

/** The coefficients of a report, the first of which decides. */
export const COEFFICIENTS = ["spearman", "pearson", "kendall"] as const satisfies Correlation["coefficient"][];

/** What says beforehand, more or less, which candidates will be good: an evaluation, a shorter fine-tuning, or another one. */
export interface Prediction {
  /** As in the report. */
  name: string;
  /** As people read it. */
  title: string;
  /** Candidates that it is known of. */
  candidates: number;
  correlations: readonly Correlation[];
  aboveRanking: Correlation | null;
  regret: number | null;
  seconds: number;
  /** Whether it is a fine-tuning itself. */
  isTuned: boolean;
}

/** Everything that a study has tried as a prediction: evaluations first, the best of them at the top. */
export function predictions(study: BudgetStudy): Prediction[] {
  const tuned = { candidates: study.candidates.length, aboveRanking: null, isTuned: true };
  const evaluations = byAgreement(study).map(({ predictor }) => {
    const { name, candidates, correlations, above_ranking: aboveRanking, regret, seconds } = predictor;
    const title = predictorName(predictor);
    return { name, title, candidates, correlations, aboveRanking, regret, seconds, isTuned: false };
  });
  const shorter = study.training.map(({ epochs, of: all, correlations, regret, seconds }) => {
    const name = `fine-tuned, after epoch ${count(epochs)} of ${count(all)}`;
    return { ...tuned, name, title: name, correlations, regret, seconds };
  });
  const { regret, seconds } = study.accuracy;
  const name = "another fine-tuning (the ceiling)";
  const another = { ...tuned, name, title: name, regret, seconds };
  return [...evaluations, ...shorter, ...(study.ceiling ? [{ ...another, correlations: study.ceiling }] : [])];
}

/** The predictions with the interval of every coefficient, for a spreadsheet. */
export function predictionTable(study: BudgetStudy): { header: string[]; rows: CsvValue[][] } {
  const withInterval = (name: string): string[] => [name, `${name}_low`, `${name}_high`];
  const numbers = (one: Correlation | null | undefined): CsvValue[] => [
    ...[one?.value, one?.interval?.low, one?.interval?.high],
  ];
  return {
    header: [
      ...["known_before", "is_fine_tuning", "candidates"],
      ...[...COEFFICIENTS, "above_ranking"].flatMap(withInterval),
      ...["regret", "seconds"],
    ],
    rows: predictions(study).map(({ name, isTuned, candidates, correlations, aboveRanking, regret, seconds }) => [
      ...[name, isTuned, candidates],
      ...COEFFICIENTS.flatMap((coefficient) => numbers(of(correlations, coefficient))),
      ...[...numbers(aboveRanking), regret, seconds],
    ]),
  };
}

/** A candidate in the figure of one predictor. */
export interface Mark {
  candidate: number;
  strategy: string;
  value: number;
  /** The mean, the lowest and the highest of its fine-tunings. */
  tuned: number;
  low: number;
  high: number;
}

/** The candidates that a predictor is known of, in the order of its values. */
export function marksOf(study: BudgetStudy, place: number): Mark[] {
  const marks: Mark[] = [];
  for (const { candidate, strategy, tuned, values } of study.candidates) {
    const value = values[place];
    if (value === null || value === undefined || tuned.length === 0) continue;
    const mean = tuned.reduce((sum, each) => sum + each, 0) / tuned.length;
    marks.push({ candidate, strategy, value, tuned: mean, low: Math.min(...tuned), high: Math.max(...tuned) });
  }
  return marks.sort((a, b) => a.value - b.value || a.candidate - b.candidate);
}

/** The candidates of one budget, with every value that was known of them, for a spreadsheet. */
export function studyTable(study: BudgetStudy): { header: string[]; rows: CsvValue[][] } {
  const tunings = Math.max(0, ...study.candidates.map(({ tuned }) => tuned.length));
  const runs = Array.from({ length: tunings }, (_, place) => place);
  return {
    header: [
      "candidate",
      "strategy",
      ...study.predictors.map(({ name }) => name),
      ...runs.map((place) => `top1 of fine-tuning ${place + 1}`),
    ],
    rows: study.candidates.map(({ candidate, strategy, values, tuned }) => [
      candidate,
      strategy,
      ...study.predictors.map((_, place) => values[place]),
      ...runs.map((place) => tuned[place]),
    ]),
  };
}

/** A predictor's value as people read it: shares as percentages. */
export function valueText({ predictor }: Pick<PredictorStudy, "predictor">, value: number): string {
  if (predictor.of === "parameters") return count(value);
  if (predictor.of === "evaluation" && predictor.measure !== "top1") return value.toFixed(3).replace("-", "−");
  return `${(100 * value).toFixed(2)}%`;
}

function isWithin(value: number, least: number, most: number): boolean {
  return Number.isInteger(value) && value >= least && value <= most;
}
