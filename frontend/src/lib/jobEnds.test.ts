import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { getCandidate, getQueue, getSearch, getTuning } from "../api/client";
import { ApiError, UNREACHABLE } from "../api/problem";
import type { Candidate, QueuedJob, Tuning } from "../api/types";
import { FakeLocks, fakeStorage } from "./fakeBrowser";
import { aScore, aSearch } from "./fixtures";
import { FollowedJobs, type FollowedJob } from "./followedJobs.svelte";
import { look, lookOut } from "./jobEnds";

vi.mock("../navigation.svelte", () => ({ navigation: { go: vi.fn() } }));
vi.mock("../api/client", () => ({
  getCandidate: vi.fn(),
  getQueue: vi.fn(),
  getSearch: vi.fn(),
  getTuning: vi.fn(),
}));

const SEARCH: FollowedJob = { kind: "search", id: "s", title: "Net at 50%" };
const TUNING: FollowedJob = { kind: "tuning", id: "t", title: "Fine-tuning of candidate 3 of Net" };

const queued = (...jobs: Pick<QueuedJob, "search_id" | "tuning_id">[]): void =>
  void vi.mocked(getQueue).mockResolvedValue({ items: jobs as QueuedJob[] });

const following = (...jobs: FollowedJob[]): FollowedJobs => {
  const all = new FollowedJobs(fakeStorage());
  for (const job of jobs) all.add(job);
  return all;
};

const gone = new ApiError({ ...UNREACHABLE, status: 404 });

beforeEach(() => {
  vi.resetAllMocks();
  queued();
  vi.mocked(getSearch).mockResolvedValue(aSearch({ best_candidate_id: "c" }));
  vi.mocked(getCandidate).mockResolvedValue({ score: aScore(0.924) } as Candidate);
});

describe("a look", () => {
  it("asks the queue alone while all jobs go on", async () => {
    const tell = vi.fn();
    queued({ search_id: "s", tuning_id: null }, { search_id: "other", tuning_id: "t" });
    const jobs = following(SEARCH, TUNING);
    await look(jobs, tell);
    expect([tell, getSearch, getTuning].map((asked) => vi.mocked(asked).mock.calls.length)).toEqual([0, 0, 0]);
    expect(jobs.all.length).toBe(2);
  });

  it("tells of those that have ended, by their present names, and drops them", async () => {
    const tell = vi.fn();
    vi.mocked(getTuning).mockResolvedValue({ state: "failed", result: null } as Tuning);
    const jobs = following(SEARCH, TUNING);
    await look(jobs, tell);
    expect(tell.mock.calls).toEqual([
      [SEARCH, ["Search succeeded", "MobileNetV1, 50%. The best candidate has a top-1 of 92.40%."]],
      [TUNING, ["Fine-tuning failed", "Fine-tuning of candidate 3 of Net."]],
    ]);
    expect(jobs.all).toEqual([]);
  });

  it("goes on with what is not in the queue but has not ended, and drops what was deleted", async () => {
    const tell = vi.fn();
    vi.mocked(getSearch).mockResolvedValue(aSearch({ state: "running" }));
    vi.mocked(getTuning).mockRejectedValue(gone);
    const jobs = following(SEARCH, TUNING);
    await look(jobs, tell);
    expect([jobs.all, tell.mock.calls]).toEqual([[SEARCH], []]);
  });

  it("does not tell what was withdrawn while it asked", async () => {
    const tell = vi.fn();
    const jobs = following(SEARCH);
    vi.mocked(getCandidate).mockImplementation(async () => {
      jobs.remove("s");
      return { score: aScore(0.9) } as Candidate;
    });
    await look(jobs, tell);
    expect(tell).not.toHaveBeenCalled();
  });

  it("waits for a server that is away", async () => {
    const tell = vi.fn();
    vi.mocked(getQueue).mockRejectedValueOnce(new ApiError(UNREACHABLE));
    const jobs = following(SEARCH);
    await look(jobs, tell);
    expect(jobs.all).toEqual([SEARCH]);
    await look(jobs, tell);
    expect(tell).toHaveBeenCalledOnce();
  });
});

describe("looking out", () => {
  let shown: string[];

  beforeEach(() => {
    vi.useFakeTimers();
    vi.stubGlobal("navigator", { locks: new FakeLocks() });
    vi.stubGlobal("window", { isSecureContext: true });
    shown = [];
    class Shown {
      static permission = "granted";
      constructor(heading: string, { tag }: NotificationOptions) {
        shown.push(`${heading} ${tag}`);
      }
    }
    vi.stubGlobal("Notification", Shown);
  });
  afterEach(() => {
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });

  it("is done by one tab, and by the next when that is closed", async () => {
    queued({ search_id: "s", tuning_id: null });
    const storage = fakeStorage();
    const [first, second] = [new FollowedJobs(storage), new FollowedJobs(storage)];
    first.add(SEARCH);
    const close = lookOut(first);
    const closeOther = lookOut(second);
    await vi.advanceTimersByTimeAsync(12_000);
    expect(getQueue).toHaveBeenCalledTimes(3);
    close();
    queued();
    await vi.advanceTimersByTimeAsync(12_000);
    expect(shown).toEqual(["Search succeeded s"]);
    closeOther();
  });

  it("asks nothing before the browser may notify", async () => {
    vi.stubGlobal("Notification", { permission: "default" });
    const close = lookOut(following(SEARCH));
    await vi.advanceTimersByTimeAsync(12_000);
    expect(getQueue).not.toHaveBeenCalled();
    close();
  });
});
