// What the server is at: its workers, the queue, and what has come of it lately.

import {
  getCandidate,
  getHealth,
  getQueue,
  getSearch,
  getTuning,
  listDatasets,
  listModels,
  listSearches,
} from "../api/client";
import type { Candidate, ConnectedWorker, Dataset, ModelSummary, QueuedJob, Search, Tuning } from "../api/types";
import { isFinal } from "./jobs";
import { leaderOf } from "./leader";
import { atWork, paused, waiting } from "./queue";

/** As many of each as the overview shows. */
const LATEST = 5;
/** Waiting jobs that are shown; more are counted. */
export const SHOWN = 8;

/** A job that is being done. */
export interface RunningJob {
  job: QueuedJob;
  search: Search;
  tuning: Tuning | undefined;
  /** The best candidate of a search so far. */
  best: Candidate | undefined;
}

/** What tells a fine-tuning in the queue from others. */
export interface QueuedTuning {
  tuning: Tuning;
  /** The number of its candidate. */
  index: number;
}

export interface Overview {
  workers: readonly ConnectedWorker[];
  queue: readonly QueuedJob[];
  running: readonly RunningJob[];
  /** The searches that anything here is about, by id. */
  searchById: ReadonlyMap<string, Search>;
  /** The fine-tunings that wait or are paused, by id, as many as are shown. */
  tuningById: ReadonlyMap<string, QueuedTuning>;
  searches: Search[];
  /** The best candidates of these searches, by the searches' ids, where there are any. */
  leaders: ReadonlyMap<string, Candidate>;
  models: ModelSummary[];
  datasets: Dataset[];
}

export async function loadOverview(): Promise<Overview> {
  const [health, { items: queue }, searches, models, datasets] = await Promise.all([
    getHealth(),
    getQueue(),
    listSearches(undefined, LATEST),
    listModels(undefined, LATEST),
    listDatasets(undefined, LATEST),
  ]);
  const searchById = new Map(searches.items.map((search) => [search.id, search]));
  const begun = atWork(queue);
  const inSight = [...begun, ...waiting(queue).slice(0, SHOWN), ...paused(queue).slice(0, SHOWN)];
  const missing = new Set(inSight.map((job) => job.search_id).filter((id) => !searchById.has(id)));
  // One that is deleted meanwhile is left out, as the next look at the queue leaves it out.
  for (const found of await Promise.all([...missing].map((id) => getSearch(id).catch(() => undefined)))) {
    if (found) searchById.set(found.id, found);
  }
  const running = (await Promise.all(begun.map((job) => details(job, searchById)))).filter(
    (found) => found !== undefined,
  );
  return {
    workers: health.workers.connected,
    queue,
    running,
    searchById,
    tuningById: await queuedTunings(inSight),
    searches: searches.items,
    leaders: await leadersOf(searches.items),
    models: models.items,
    datasets: datasets.items,
  };
}

/** The best candidates of searches that have ended, by the searches' ids; null for one that ended without any. */
const read = new Map<string, Candidate | null>();

async function leadersOf(searches: readonly Search[]): Promise<Map<string, Candidate>> {
  const found = searches.map(async (search): Promise<[string, Candidate] | undefined> => {
    // One that was taken up again may have a better one by now.
    const known = isFinal(search.state) ? read.get(search.id) : undefined;
    const candidate = known === undefined ? await leaderOf(search).catch(() => undefined) : known;
    if (candidate !== undefined && isFinal(search.state)) read.set(search.id, candidate);
    else read.delete(search.id);
    return candidate ? [search.id, candidate] : undefined;
  });
  return new Map((await Promise.all(found)).filter((pair) => pair !== undefined));
}

/** Fine-tunings of the queue as they were read once: neither what was asked for nor the candidate changes. */
const known = new Map<string, QueuedTuning>();

async function queuedTunings(jobs: readonly QueuedJob[]): Promise<Map<string, QueuedTuning>> {
  const ids = jobs.flatMap(({ tuning_id }) => tuning_id ?? []);
  for (const id of known.keys()) if (!ids.includes(id)) known.delete(id);
  const load = async (id: string): Promise<void> => {
    const tuning = await getTuning(id);
    known.set(id, { tuning, index: (await getCandidate(tuning.candidate_id)).index });
  };
  // One that is deleted meanwhile, or cannot be had, goes without.
  await Promise.all(ids.filter((id) => !known.has(id)).map((id) => load(id).catch(() => undefined)));
  return new Map(known);
}

async function details(job: QueuedJob, searchById: ReadonlyMap<string, Search>): Promise<RunningJob | undefined> {
  const search = searchById.get(job.search_id);
  if (!search) return undefined;
  const [tuning, best] = await Promise.all([
    job.tuning_id === null ? undefined : getTuning(job.tuning_id).catch(() => undefined),
    job.kind === "search" ? leaderOf(search).catch(() => null) : null,
  ]);
  return { job, search, tuning, best: best ?? undefined };
}

/** What a worker is doing, as the start of a line; what it works on has a line of its own. */
export function doing(worker: ConnectedWorker): string {
  if (worker.note !== null) return worker.note;
  if (worker.checkpoint_id !== null) return "Writing a checkpoint";
  if (worker.tuning_id !== null) return "Fine-tuning";
  return worker.search_id !== null ? "Searching" : "Idle";
}
