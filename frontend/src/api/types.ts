// The schemas of the REST API under short names.

import type { components } from "./schema.gen";

type Schemas = components["schemas"];

export type Aggregate = Schemas["Aggregate"];
export type Baseline = Schemas["Baseline"];
export type BudgetRange = Schemas["BudgetRange"];
export type Candidate = Schemas["Candidate"];
export type CandidateRow = Schemas["CandidateRow"];
export type CandidateWeights = Schemas["CandidateWeights"];
export type ChannelGroup = Schemas["ChannelGroup"];
export type ChannelOrder = Schemas["ChannelOrder"];
export type Checkpoint = Schemas["Checkpoint"];
export type CheckpointFormat = Schemas["CheckpointFormat"];
export type Class = Schemas["Class"];
export type ClassAnswers = Schemas["ClassAnswers"];
export type ClassOrder = Schemas["ClassOrder"];
export type ConnectedWorker = Schemas["ConnectedWorker"];
export type Criterion = Schemas["Criterion"];
export type Dataset = Schemas["Dataset"];
export type DatasetReference = Schemas["DatasetReference"];
export type Distillation = Schemas["Distillation"];
export type DriftKind = Schemas["DriftKind"];
export type Epoch = Schemas["Epoch"];
export type Evaluation = Schemas["Evaluation"];
export type EvaluationKind = Schemas["EvaluationKind"];
export type Filter = Schemas["Filter"];
export type GroupKeep = Schemas["GroupKeep"];
export type GroupLimit = Schemas["GroupLimit"];
export type GraphNode = Schemas["GraphNode"];
export type Health = Schemas["Health"];
export type Histogram = Schemas["Histogram"];
export type Interval = Schemas["Interval"];
export type Latency = Schemas["Latency"];
export type EvaluationPrecision = Schemas["EvaluationPrecision"];
export type LatencyOf = Schemas["LatencyOf"];
export type Layer = Schemas["Layer"];
export type Lineage = Schemas["Lineage"];
export type Limits = Schemas["Limits"];
export type ManualStrategy = Schemas["ManualStrategy"];
export type Measure = Schemas["Measure"];
export type Model = Schemas["Model"];
export type ModelCard = Schemas["ModelCard"];
export type ModelChange = Schemas["ModelChange"];
export type ModelSummary = Schemas["ModelSummary"];
export type NetworkGraph = Schemas["NetworkGraph"];
export type NetworkTensors = Schemas["NetworkTensors"];
export type Optimizer = Schemas["Optimizer"];
export type Precheck = Schemas["Precheck"];
export type Preprocessing = Schemas["Preprocessing"];
export type Preset = Schemas["Preset"];
export type PresetFit = Schemas["PresetFit"];
export type Problem = Schemas["Problem"];
export type Queue = Schemas["Queue"];
export type QueuedJob = Schemas["QueuedJob"];
export type Reachable = Schemas["Reachable"];
export type Resize = Schemas["Resize"];
export type Score = Schemas["Score"];
export type Search = Schemas["Search"];
export type SearchRequest = Schemas["SearchRequest"];
export type Strategy = Schemas["Strategy"];
export type StrategyName = Schemas["StrategyName"];
export type BudgetStudy = Schemas["BudgetStudy"];
export type Correlation = Schemas["Correlation"];
export type PredictorStudy = Schemas["PredictorStudy"];
export type Study = Schemas["Study"];
export type StudyReport = Schemas["StudyReport"];
export type TensorSummary = Schemas["TensorSummary"];
export type Template = Schemas["Template"];
export type Tuning = Schemas["Tuning"];
export type TuningRace = Schemas["TuningRace"];
export type TuningRaceMember = Schemas["TuningRaceMember"];
export type TuningResult = Schemas["TuningResult"];
export type Warning = Schemas["Warning"];
export type WarningCode = Schemas["WarningCode"];
export type Winner = Schemas["Winner"];

/** A field whose value is left out has none: the schema calls every field with a default required. */
export type TuneOptions = Partial<Schemas["TuneOptions"]>;

/** As `TuneOptions`: the options of a race's candidates. */
export type TuningRaceRequest = Omit<Schemas["TuningRaceRequest"], "options"> & { options: TuneOptions };

/** As `TuneOptions`: the options of a study's candidates. */
export type StudyRequest = Omit<Schemas["StudyRequest"], "options"> & { options: TuneOptions };

/** State of what a worker does. */
export type JobState = Schemas["SearchState"] | Schemas["TuningState"];

/** What every kind of job says of itself. */
export type Job = { state: JobState } & Pick<Search, "progress" | "waiting_for" | "started_at" | "finished_at">;

/** One page of a list; `next_cursor` is null on the last one. */
export interface Page<T> {
  items: T[];
  next_cursor: string | null;
}
