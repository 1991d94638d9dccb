// The REST API as functions that return what was asked for or throw an ApiError.

import createClient from "openapi-fetch";

import type { EventStream } from "./events";
import { ApiError, parseProblem, UNREACHABLE } from "./problem";
import type { components, paths } from "./schema.gen";
import type {
  Candidate,
  CandidateRow,
  CandidateWeights,
  Checkpoint,
  CheckpointFormat,
  Dataset,
  DatasetReference,
  Health,
  Model,
  ModelCard,
  ModelChange,
  ModelSummary,
  NetworkGraph,
  NetworkTensors,
  Page,
  Precheck,
  Preset,
  Queue,
  Search,
  SearchRequest,
  Strategy,
  Template,
  TuneOptions,
  Tuning,
  Study,
  StudyReport,
  StudyRequest,
  TuningRace,
  TuningRaceRequest,
} from "./types";

/** Where the REST API lives on this page's server. */
export const BASE = "/api/v1";

/** Items per page of a list, and the most that the server gives. */
const PAGE = 50;
const LARGEST_PAGE = 100;

const client = createClient<paths>({ baseUrl: "/" });

interface Answered<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

async function answer<T>(request: Promise<Answered<T>>): Promise<T> {
  let answered: Answered<T>;
  try {
    answered = await request;
  } catch {
    throw new ApiError(UNREACHABLE);
  }
  // An error without a body has an empty string here, so the status decides.
  if (!answered.response.ok) throw new ApiError(parseProblem(answered.error, answered.response.status));
  return answered.data as T;
}

export const listModels = (cursor?: string, limit = PAGE): Promise<Page<ModelSummary>> =>
  answer(client.GET("/api/v1/models", { params: { query: { cursor, limit } } }));

export const getModel = (id: string): Promise<Model> =>
  answer(client.GET("/api/v1/models/{id}", { params: { path: { id } } }));

export const changeModel = (id: string, body: ModelChange): Promise<Model> =>
  answer(client.PATCH("/api/v1/models/{id}", { params: { path: { id } }, body }));

export const deleteModel = (id: string): Promise<void> =>
  answer(client.DELETE("/api/v1/models/{id}", { params: { path: { id } } }));

export const modelFile = (id: string): string => `${BASE}/models/${id}/file`;

/** Makes a model of a checkpoint, to be pruned further. */
export const createModelOf = (checkpoint: string): Promise<Model> =>
  answer(client.POST("/api/v1/checkpoints/{id}/model", { params: { path: { id: checkpoint } }, body: {} }));

export const listDatasets = (cursor?: string, limit = PAGE): Promise<Page<Dataset>> =>
  answer(client.GET("/api/v1/datasets", { params: { query: { cursor, limit } } }));

export const getDataset = (id: string): Promise<Dataset> =>
  answer(client.GET("/api/v1/datasets/{id}", { params: { path: { id } } }));

/** Registers a dataset that lies on the server, which checks a sample of it first. */
export const createReferencedDataset = (body: DatasetReference): Promise<Dataset> =>
  answer(client.POST("/api/v1/datasets/references", { body }));

export const renameDataset = (id: string, name: string): Promise<Dataset> =>
  answer(client.PATCH("/api/v1/datasets/{id}", { params: { path: { id } }, body: { name } }));

export const deleteDataset = (id: string): Promise<void> =>
  answer(client.DELETE("/api/v1/datasets/{id}", { params: { path: { id } } }));

export const thumbnail = (id: string, position: number): string => `${BASE}/datasets/${id}/thumbnails/${position}`;

export const listSearches = (cursor?: string, limit = PAGE): Promise<Page<Search>> =>
  answer(client.GET("/api/v1/searches", { params: { query: { cursor, limit } } }));

export const getSearch = (id: string): Promise<Search> =>
  answer(client.GET("/api/v1/searches/{id}", { params: { path: { id } } }));

export const createSearch = (body: SearchRequest): Promise<Search> => answer(client.POST("/api/v1/searches", { body }));

/** Scores the full network on a sample of a search's images, which takes seconds. */
export const checkSearch = (body: SearchRequest, signal?: AbortSignal): Promise<Precheck> =>
  answer(client.POST("/api/v1/searches/check", { body, signal }));

/** Preprocessings that have names, of each source the most common first. */
export const listPresets = async (): Promise<Preset[]> => (await answer(client.GET("/api/v1/presets"))).items;

/** The ways to choose strategies, the default first. */
export const listStrategies = async (): Promise<Strategy[]> => (await answer(client.GET("/api/v1/strategies"))).items;

/** The settings of the paper's experiments. */
export const listTemplates = async (): Promise<Template[]> => (await answer(client.GET("/api/v1/templates"))).items;

/** Stops a search for a while; its candidates stay. */
export const pauseSearch = (id: string): Promise<Search> =>
  answer(client.POST("/api/v1/searches/{id}/pause", { params: { path: { id } } }));

export const cancelSearch = (id: string): Promise<Search> =>
  answer(client.POST("/api/v1/searches/{id}/cancel", { params: { path: { id } } }));

/** Gives a search another name; null leaves it without one. */
export const renameSearch = (id: string, name: string | null): Promise<Search> =>
  answer(client.PATCH("/api/v1/searches/{id}", { params: { path: { id } }, body: { name } }));

/** Takes up a search again that is paused, has failed or was cancelled; its candidates stay. */
export const retrySearch = (id: string): Promise<Search> =>
  answer(client.POST("/api/v1/searches/{id}/retry", { params: { path: { id } } }));

export const deleteSearch = (id: string): Promise<void> =>
  answer(client.DELETE("/api/v1/searches/{id}", { params: { path: { id } } }));

export const searchEvents = (id: string): EventStream => ({
  address: `${BASE}/searches/${id}/events?candidates=rows`,
  job: "search",
  part: "candidate",
});

/** The first candidates of a search, probes among them: in the order of evaluation, or the best first. */
export const firstCandidates = async (search: string, sort: "index" | "rank", limit: number): Promise<Candidate[]> => {
  return (await listCandidates(search, undefined, limit, sort)).items;
};

/** The candidates of a search so far, probes among them; in the order of evaluation unless it is said otherwise. */
export const listCandidates = (
  search: string,
  cursor?: string,
  limit = PAGE,
  sort: "index" | "rank" = "index",
): Promise<Page<Candidate>> => {
  const params = { path: { id: search }, query: { cursor, limit, sort, probes: true } };
  return answer(client.GET("/api/v1/searches/{id}/candidates", { params }));
};

/** Some hundred of a search's candidates in short, probes among them, in the order of evaluation. */
export const listCandidateRows = (search: string, cursor?: string): Promise<Page<CandidateRow>> => {
  const params = { path: { id: search }, query: { cursor, probes: true } };
  return answer(client.GET("/api/v1/searches/{id}/candidates/rows", { params }));
};

export const getCandidate = (id: string): Promise<Candidate> =>
  answer(client.GET("/api/v1/candidates/{id}", { params: { path: { id } } }));

/** The first candidate of a search by rank, of one budget where it has any; undefined before the first is scored. */
export const leadingCandidate = async ({
  id,
  budgets,
}: Pick<Search, "id" | "budgets">): Promise<Candidate | undefined> => {
  const query = { sort: "rank", limit: 1, ...(budgets.length > 0 ? { budget: 0 } : {}) };
  const request = client.GET("/api/v1/searches/{id}/candidates", { params: { path: { id }, query } });
  return (await answer(request)).items[0];
};

/** The tunings of a search's candidates, newest first. */
export const listTunings = (search: string, cursor?: string, limit = PAGE): Promise<Page<Tuning>> =>
  answer(client.GET("/api/v1/searches/{id}/tunings", { params: { path: { id: search }, query: { cursor, limit } } }));

export const getTuning = (id: string): Promise<Tuning> =>
  answer(client.GET("/api/v1/tunings/{id}", { params: { path: { id } } }));

/** Trains a candidate further. What is left out of the options has its default. */
export const createTuning = (candidate: string, options: TuneOptions): Promise<Tuning> => {
  const body = options as components["schemas"]["TuneOptions"];
  return answer(client.POST("/api/v1/candidates/{id}/tunings", { params: { path: { id: candidate } }, body }));
};

/** Stops a tuning for a while. */
export const pauseTuning = (id: string): Promise<Tuning> =>
  answer(client.POST("/api/v1/tunings/{id}/pause", { params: { path: { id } } }));

export const cancelTuning = (id: string): Promise<Tuning> =>
  answer(client.POST("/api/v1/tunings/{id}/cancel", { params: { path: { id } } }));

/** Takes up a tuning again that is paused, has failed or was cancelled, from its last snapshot. */
export const retryTuning = (id: string): Promise<Tuning> =>
  answer(client.POST("/api/v1/tunings/{id}/retry", { params: { path: { id } } }));

export const deleteTuning = (id: string): Promise<void> =>
  answer(client.DELETE("/api/v1/tunings/{id}", { params: { path: { id } } }));

/** The races of a search, newest first. */
export const listTuningRaces = (search: string, cursor?: string, limit = PAGE): Promise<Page<TuningRace>> => {
  const params = { path: { id: search }, query: { cursor, limit } };
  return answer(client.GET("/api/v1/searches/{id}/tuning-races", { params }));
};

/** Trains the best candidates of a search under one budget of epochs. */
export const createTuningRace = (search: string, request: TuningRaceRequest): Promise<TuningRace> => {
  const body = request as components["schemas"]["TuningRaceRequest"];
  return answer(client.POST("/api/v1/searches/{id}/tuning-races", { params: { path: { id: search } }, body }));
};

export const cancelTuningRace = (id: string): Promise<TuningRace> =>
  answer(client.POST("/api/v1/tuning-races/{id}/cancel", { params: { path: { id } } }));

/** Deletes a race with its tunings. */
export const deleteTuningRace = (id: string): Promise<void> =>
  answer(client.DELETE("/api/v1/tuning-races/{id}", { params: { path: { id } } }));

/** The studies of a search, newest first. */
export const listStudies = (search: string, cursor?: string, limit = PAGE): Promise<Page<Study>> =>
  answer(client.GET("/api/v1/searches/{id}/studies", { params: { path: { id: search }, query: { cursor, limit } } }));

/** Fine-tunes candidates of a search from several seeds, to see which evaluation predicts what becomes of them. */
export const createStudy = (search: string, request: StudyRequest): Promise<Study> => {
  const body = request as components["schemas"]["StudyRequest"];
  return answer(client.POST("/api/v1/searches/{id}/studies", { params: { path: { id: search } }, body }));
};

export const getStudy = (id: string): Promise<Study> =>
  answer(client.GET("/api/v1/studies/{id}", { params: { path: { id } } }));

export const getStudyReport = (id: string): Promise<StudyReport> =>
  answer(client.GET("/api/v1/studies/{id}/report", { params: { path: { id } } }));

/** Where a document of a study is downloaded. */
export const studyFile = (id: string, name: "report" | "report.md" | "figure.svg"): string =>
  `${BASE}/studies/${id}/${name}`;

/** Stops a study's fine-tunings for a while. */
export const pauseStudy = (id: string): Promise<Study> =>
  answer(client.POST("/api/v1/studies/{id}/pause", { params: { path: { id } } }));

export const cancelStudy = (id: string): Promise<Study> =>
  answer(client.POST("/api/v1/studies/{id}/cancel", { params: { path: { id } } }));

/** Takes up the fine-tunings again that are paused, have failed or were cancelled. */
export const retryStudy = (id: string): Promise<Study> =>
  answer(client.POST("/api/v1/studies/{id}/retry", { params: { path: { id } } }));

/** Deletes a study with its fine-tunings. */
export const deleteStudy = (id: string): Promise<void> =>
  answer(client.DELETE("/api/v1/studies/{id}", { params: { path: { id } } }));

/** What is running and what waits, in the order in which it will be done. */
export const getQueue = (): Promise<Queue> => answer(client.GET("/api/v1/queue"));

/** Puts a waiting job before another one, or behind all. */
export const moveJob = (id: string, before: string | null): Promise<Queue> =>
  answer(client.POST("/api/v1/queue/{id}/move", { params: { path: { id } }, body: { before } }));

/** A model's network as it is drawn. */
export const getModelGraph = (id: string): Promise<NetworkGraph> =>
  answer(client.GET("/api/v1/models/{id}/graph", { params: { path: { id } } }));

/** How the values of a model's weights and statistics are spread. */
export const getModelTensors = (id: string): Promise<NetworkTensors> =>
  answer(client.GET("/api/v1/models/{id}/tensors", { params: { path: { id } } }));

export const tuningEvents = (id: string): EventStream => ({
  address: `${BASE}/tunings/${id}/events`,
  job: "tuning",
  part: "epoch",
});

/** The version of ONNX's operators that the server writes by itself. The page offers no other. */
const ONNX_OPSET = 17;

const isOffered = ({ opset }: Checkpoint): boolean => (opset ?? ONNX_OPSET) === ONNX_OPSET;

export const listTunedCheckpoints = async (tuning: string): Promise<Checkpoint[]> => {
  const params = { path: { id: tuning } };
  const { items } = await answer(client.GET("/api/v1/tunings/{id}/checkpoints", { params }));
  return items.filter(isOffered);
};

/** As `createCheckpoint`, of a candidate that was tuned. */
export const createTunedCheckpoint = (tuning: string, format: CheckpointFormat): Promise<Checkpoint> => {
  const params = { path: { id: tuning } };
  return answer(client.POST("/api/v1/tunings/{id}/checkpoints", { params, body: { format } }));
};

/** The files of a candidate with adaptive batch norm, or repaired. */
export const listCheckpoints = async (candidate: string, wanted: CandidateWeights): Promise<Checkpoint[]> => {
  const params = { path: { id: candidate } };
  const { items } = await answer(client.GET("/api/v1/candidates/{id}/checkpoints", { params }));
  return items.filter((checkpoint) => checkpoint.weights === wanted && isOffered(checkpoint));
};

/** All files of a candidate, with whichever weights, but for those of its fine-tunings. */
export const listAllCheckpoints = async (candidate: string): Promise<Checkpoint[]> =>
  (await answer(client.GET("/api/v1/candidates/{id}/checkpoints", { params: { path: { id: candidate } } }))).items;

/** Asks for a candidate as a file; the answer is the checkpoint that is there already, or one that is being made. */
export const createCheckpoint = (
  candidate: string,
  format: CheckpointFormat,
  weights: CandidateWeights,
): Promise<Checkpoint> => {
  const params = { path: { id: candidate } };
  return answer(client.POST("/api/v1/candidates/{id}/checkpoints", { params, body: { format, weights } }));
};

export const getCheckpoint = (id: string): Promise<Checkpoint> =>
  answer(client.GET("/api/v1/checkpoints/{id}", { params: { path: { id } } }));

export const getCard = (checkpoint: string): Promise<ModelCard> =>
  answer(client.GET("/api/v1/checkpoints/{id}/card", { params: { path: { id: checkpoint } } }));

/** Where a model card is downloaded as a document. */
export const cardFile = (checkpoint: string): string => `${BASE}/checkpoints/${checkpoint}/card.md`;

export const checkpointFile = (id: string): string => `${BASE}/checkpoints/${id}/file`;

let health: Promise<Health> | undefined;

/** The server's health; an unhealthy one answers as well. Who asks while an answer is on its way gets the same. */
export const getHealth = (): Promise<Health> => (health ??= askHealth().finally(() => (health = undefined)));

const askHealth = async (): Promise<Health> => {
  try {
    const { data, error } = await client.GET("/health");
    if (data ?? error) return (data ?? error) as Health;
  } catch {
    // Falls through: no answer, or one that is not JSON.
  }
  throw new ApiError(UNREACHABLE);
};

/** Every item of a paged list, for a choice that must offer all of them. */
export async function all<T>(list: (cursor?: string, limit?: number) => Promise<Page<T>>): Promise<T[]> {
  const items: T[] = [];
  let cursor: string | undefined;
  do {
    const page = await list(cursor, LARGEST_PAGE);
    items.push(...page.items);
    cursor = page.next_cursor ?? undefined;
  } while (cursor !== undefined);
  return items;
}
