import { expect, it } from "vitest";

import { fakeStorage } from "./fakeBrowser";
import { FollowedJobs, type FollowedJob } from "./followedJobs.svelte";

const job = (id: string): FollowedJob => ({ kind: "search", id, title: `Search ${id}` });
const ids = (jobs: FollowedJobs): string[] => jobs.all.map(({ id }) => id);

it("keeps several jobs over a reload, each once", () => {
  const storage = fakeStorage();
  const jobs = new FollowedJobs(storage);
  for (const id of ["a", "b", "a"]) jobs.add(job(id));
  expect(ids(new FollowedJobs(storage))).toEqual(["b", "a"]);
  expect([jobs.has("a"), jobs.has("c")]).toEqual([true, false]);
});

it("leaves what other tabs have added and taken out", () => {
  const storage = fakeStorage();
  const [one, other] = [new FollowedJobs(storage), new FollowedJobs(storage)];
  one.add(job("a"));
  other.add(job("b"));
  expect(ids(one)).toEqual(["a"]);
  one.look();
  expect(ids(one)).toEqual(["a", "b"]);
  other.remove("a");
  one.add(job("c"));
  expect(ids(one)).toEqual(["b", "c"]);
});

it("tells one tab only that it has taken a job out, and leaves no trace of the last", () => {
  const storage = fakeStorage();
  const [one, other] = [new FollowedJobs(storage), new FollowedJobs(storage)];
  one.add(job("a"));
  expect([one.remove("a"), other.remove("a")]).toEqual([true, false]);
  expect(Object.keys(storage)).toEqual([]);
});

it("leaves out what it cannot read, and does without a storage", () => {
  const read = (text: string) => ids(new FollowedJobs(fakeStorage({ "eagleeye.followed": text })));
  expect(read("{")).toEqual([]);
  expect(read("7")).toEqual([]);
  expect(read(JSON.stringify([null, { kind: "study", id: "a", title: "" }, job("b")]))).toEqual(["b"]);
  const jobs = new FollowedJobs(undefined);
  jobs.add(job("a"));
  jobs.look();
  expect(ids(jobs)).toEqual(["a"]);
});
