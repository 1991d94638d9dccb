// Looks out for the ends of the jobs that are followed, and tells of each once, whatever page is open and in however many tabs.

import { getQueue, getSearch, getTuning } from "../api/client";
import { ApiError } from "../api/problem";
import { navigation } from "../navigation.svelte";
import type { FollowedJob, FollowedJobs } from "./followedJobs.svelte";
import { isFinal } from "./jobs";
import { leaderOf } from "./leader";
import { permission, searchNotice, tuningNotice, type Notice } from "./notice";

/** Between two looks, in milliseconds. Browsers let a tab in the background wait longer. */
const PERIOD = 5_000;

/** Held by the tab that looks out for all of them. */
const LOCK = "eagleeye.jobEnds";

/**
 * Looks out until it is stopped. One tab of the browser does so; when that is closed, the next one goes on.
 *
 * @returns a function that stops it
 */
export function lookOut(jobs: FollowedJobs): () => void {
  const stop = new AbortController();
  const { signal } = stop;
  const watch = async (): Promise<void> => {
    while (!signal.aborted) {
      if (permission() === "granted") await look(jobs, show);
      await pause(PERIOD, signal);
    }
  };
  // Browsers that notify have locks: both are there over HTTPS, or on this computer. What is caught is that it was stopped.
  navigator.locks?.request(LOCK, { signal }, watch).catch(() => undefined);
  return () => stop.abort();
}

/** Tells of those that have ended. One question to the server is enough as long as all of them go on. */
export async function look(jobs: FollowedJobs, tell: (job: FollowedJob, notice: Notice) => void): Promise<void> {
  jobs.look();
  try {
    const { items } = await getQueue();
    const going = new Set(items.map(({ search_id, tuning_id }) => tuning_id ?? search_id));
    for (const job of jobs.all.filter(({ id }) => !going.has(id))) {
      const notice = await endOf(job);
      // It may have been withdrawn while the answer was on its way.
      if (notice !== "goes on" && jobs.remove(job.id) && notice !== "gone") tell(job, notice);
    }
  } catch {
    // The server may be away for a while; the next look tries again.
  }
}

async function endOf(job: FollowedJob): Promise<Notice | "goes on" | "gone"> {
  try {
    if (job.kind === "tuning") {
      const tuning = await getTuning(job.id);
      return isFinal(tuning.state) ? tuningNotice(tuning, job.title) : "goes on";
    }
    const search = await getSearch(job.id);
    if (!isFinal(search.state)) return "goes on";
    const best = await leaderOf(search).catch(() => null);
    return searchNotice(search, search.name ?? job.title, best?.score.top1);
  } catch (error) {
    if (error instanceof ApiError && error.isNotFound) return "gone";
    throw error;
  }
}

function show({ kind, id }: FollowedJob, [heading, body]: Notice): void {
  try {
    const notice = new Notification(heading, { body, tag: id });
    notice.onclick = () => {
      window.focus();
      navigation.go(kind === "search" ? `/searches/${id}` : `/tunings/${id}`);
      notice.close();
    };
  } catch {
    // Some phones let only a service worker notify.
  }
}

const pause = (milliseconds: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, milliseconds);
    signal.addEventListener("abort", end);
  });
