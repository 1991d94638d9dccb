import { beforeEach, expect, it, vi } from "vitest";

import { getCandidate, getModel, getSearch, listCandidateRows } from "../api/client";
import { ApiError, UNREACHABLE } from "../api/problem";
import type { Model } from "../api/types";
import { differingColumns } from "./compareColumns";
import { CompareData } from "./compareData.svelte";
import { aCandidate, aSearch } from "./fixtures";

vi.mock("../api/client", () => ({
  getCandidate: vi.fn(),
  getModel: vi.fn(),
  getSearch: vi.fn(),
  listCandidateRows: vi.fn(),
}));

/** How many candidates each search has by now. */
let found: Record<string, number> = {};
let states: Record<string, "running" | "succeeded"> = {};

beforeEach(() => {
  vi.useFakeTimers();
  found = { going: 1, over: 2 };
  states = { going: "running", over: "succeeded" };
  vi.mocked(getModel).mockResolvedValue({ id: "m", name: "Net", layers: [], groups: [] } as unknown as Model);
  vi.mocked(getSearch).mockImplementation(async (id) => aSearch({ id, state: states[id]! }));
  vi.mocked(listCandidateRows).mockImplementation(async (id) => ({
    items: Array.from({ length: found[id] ?? 0 }, (_, index) => aCandidate(index, { id: `${id} ${index}` })),
    next_cursor: null,
  }));
  return () => {
    vi.useRealTimers();
    vi.clearAllMocks();
  };
});

const settle = (): Promise<unknown> => vi.advanceTimersByTimeAsync(5_000);
const asked = (): string[] => vi.mocked(listCandidateRows).mock.calls.map(([id]) => id);

it("follows searches that go on, and loads no other again", async () => {
  const data = new CompareData();
  data.want(["going", "over"], []);
  await settle();
  expect([data.rows.length, asked()]).toEqual([3, ["going", "over"]]);

  found["going"] = 4;
  await data.follow();
  await settle();
  expect([data.rows.length, asked()]).toEqual([6, ["going", "over", "going"]]);

  // What ended meanwhile is loaded a last time.
  [found["going"], states["going"]] = [5, "succeeded"];
  await data.follow();
  await data.follow();
  await settle();
  expect([data.rows.length, asked().length, data.searches[0]?.search?.state]).toEqual([7, 4, "succeeded"]);
});

it("keeps what was there while a search cannot be had, and goes on afterwards", async () => {
  const data = new CompareData();
  data.want(["going"], []);
  await settle();
  vi.mocked(getSearch).mockRejectedValueOnce(new ApiError({ ...UNREACHABLE, status: 503 }));
  await data.follow();
  await settle();
  expect([data.rows.length, data.searches[0]?.problem?.status]).toEqual([1, 503]);
  found["going"] = 2;
  await data.follow();
  await settle();
  expect([data.rows.length, data.searches[0]?.problem]).toEqual([2, undefined]);
});

it("says which single candidates cannot be had", async () => {
  vi.mocked(getCandidate).mockRejectedValue(new ApiError({ ...UNREACHABLE, status: 404 }));
  const data = new CompareData();
  data.want([], ["gone"]);
  await settle();
  expect([data.rows.length, data.missing.get("gone")?.status]).toEqual([0, 404]);
});

it("tells searches of the same title apart, alike in all views", async () => {
  const made: Record<string, string> = { going: "2026-01-02T00:00:00Z", over: "2026-01-01T00:00:00Z" };
  vi.mocked(getSearch).mockImplementation(async (id) => aSearch({ id, name: "Net", created_at: made[id]! }));
  vi.mocked(getCandidate).mockResolvedValue({ ...aCandidate(7), id: "picked", search_id: "over", groups: [] } as never);
  const data = new CompareData();
  data.want(["going"], ["picked"]);
  await settle();
  expect(data.searches.map(({ title }) => title)).toEqual(["Net (2)"]);
  expect(data.rows.map(({ origin }) => origin.title)).toEqual(["Net (2)", "Net (1)"]);
  expect(differingColumns(data.rows).map(({ key }) => key)).toContain("search");

  data.want(["going"], []);
  expect([data.searches[0]?.title, data.rows[0]?.origin.title], "once it is alone").toEqual(["Net", "Net"]);
});
