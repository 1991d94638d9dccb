// The form of a new search: its fields, and what it starts with.

import type {
  Aggregate,
  Criterion,
  Dataset,
  EvaluationPrecision,
  LatencyOf,
  ManualStrategy,
  ModelSummary,
  SearchRequest,
  StrategyName,
} from "../api/types";
import { usualBudgets, type BudgetFields } from "./budgetFields";
import type { RangeFields } from "./budgetRange";
import type { GroupKeeps } from "./groupLimits";
import { emptyPreprocessing, type PreprocessingFields } from "./preprocessing";

/** The fields as they are typed; a number is null while its field is empty. */
export interface SearchForm extends PreprocessingFields {
  name: string;
  modelId: string;
  datasetId: string;
  /** Each gets a winner of its own. There is none where a range, or strategies written by hand, stand in for them. */
  budgets: BudgetFields[];
  /** Further budgets at equal distances; null for none. */
  range: RangeFields | null;
  /** Whether strategies that can propose anything between the smallest and the largest budget. */
  front: boolean;
  /** Where the latency of those that limit it is measured. */
  latencyOf: LatencyOf;
  strategies: StrategyName[];
  /** For the strategy of that name; the form takes them over and has no fields for them. */
  manual: ManualStrategy[];
  uniformReference: boolean;
  candidates: number | null;
  seed: number | null;
  calibrationImages: number | null;
  scoringImages: number | null;
  /** Name of the preset that was chosen last, which may have been changed since; empty for none. */
  preset: string;
  /** Whether the preprocessing was chosen or typed, and is not what the page proposed. */
  isOwnPreprocessing: boolean;
  /** Name of the paper's template that was chosen last, which may have been changed since; empty for none. */
  template: string;
  /** Empty stands for multiples of 8 where groups allow it. */
  roundTo: number | null;
  /** Percent of each group's units. */
  minKeep: number | null;
  batchSize: number | null;
  /** In which numbers candidates are adapted and scored. */
  precision: EvaluationPrecision;
  mode: "cumulative" | "momentum";
  momentum: number | null;
  /** Empty stands for all calibration images once. */
  batches: number | null;
  criterion: Criterion;
  aggregate: Aggregate;
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
  /** Scoring images on which the difference that adaptive batch norm makes is shown. */
  vanillaImages: number | null;
  /** Parts of another search's request that the form cannot show; they are sent as they were. */
  kept: Partial<SearchRequest>;
}

/** The fields at fault, by the path that the server would name, each with what would be right. */
export type FieldErrors = Record<string, string>;

export const emptyForm = (): SearchForm => ({
  name: "",
  modelId: "",
  datasetId: "",
  budgets: usualBudgets(),
  range: null,
  front: false,
  latencyOf: "onnxruntime_one_thread",
  strategies: [],
  manual: [],
  uniformReference: true,
  candidates: 48,
  seed: 0,
  calibrationImages: null,
  scoringImages: null,
  ...emptyPreprocessing(),
  preset: "",
  isOwnPreprocessing: false,
  template: "",
  roundTo: null,
  minKeep: 10,
  batchSize: 128,
  precision: "float32",
  mode: "cumulative",
  momentum: 0.1,
  batches: null,
  criterion: "l1",
  aggregate: "sum",
  groupLimits: "",
  groupKeeps: {},
  classOrder: "",
  racing: true,
  repaired: 0,
  shortTuned: 0,
  shortTuneEpochs: 3,
  testImages: null,
  vanillaImages: 512,
  kept: {},
});

/** Calibration and scoring images to start with: the usual numbers, or shares of a small dataset. */
export function defaultImages(images: number): { calibration: number; scoring: number } {
  const share = (fraction: number, usual: number): number => {
    const wanted = Math.floor(Math.min(usual, images * fraction));
    return Math.max(1, wanted > 100 ? wanted - (wanted % 50) : wanted);
  };
  return { calibration: share(0.3, 3200), scoring: share(0.5, 5000) };
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
