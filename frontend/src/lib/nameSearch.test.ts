import { beforeEach, expect, it, vi } from "vitest";

import type { Page } from "../api/types";
import { NameSearch } from "./nameSearch.svelte";
import { PagedList } from "./pagedList.svelte";

vi.mock("../navigation.svelte", () => ({ navigation: { param: () => null, amend: vi.fn() } }));

interface Item {
  id: string;
  name: string;
}

const PAGES: Record<string, Page<Item>> = {
  "": { items: [{ id: "3", name: "MobileNetV1" }], next_cursor: "older" },
  older: { items: [{ id: "2", name: "ResNet" }], next_cursor: "oldest" },
  oldest: { items: [{ id: "1", name: "mobilenet, half" }], next_cursor: null },
};

const ask = vi.fn(async (cursor = ""): Promise<Page<Item>> => PAGES[cursor]!);

beforeEach(() => {
  vi.useFakeTimers();
  ask.mockClear();
  return () => vi.useRealTimers();
});

/** As an effect does it, until nothing changes. */
async function readAll(search: NameSearch<Item>): Promise<void> {
  for (let asked = -1; asked !== ask.mock.calls.length;) {
    asked = ask.mock.calls.length;
    search.readOn();
    search.readOn();
    // Not long enough for the address to be written.
    await vi.advanceTimersByTimeAsync(1);
  }
}

const names = ({ found }: NameSearch<Item>): string[] => found.map(({ name }) => name);

it("loads no more than was asked for while nothing is looked for", async () => {
  const list = new PagedList(ask);
  const search = new NameSearch(list);
  await list.refresh();
  search.words = "  ";
  await readAll(search);
  expect([names(search), search.isActive, ask.mock.calls.length]).toEqual([["MobileNetV1"], false, 1]);
  search.stop();
});

it("finds names on pages that were not loaded, each page being asked for once", async () => {
  const list = new PagedList(ask);
  const search = new NameSearch(list);
  await list.refresh();
  search.words = "mobile";
  expect([names(search), search.isComplete]).toEqual([["MobileNetV1"], false]);
  await readAll(search);
  expect([names(search), search.isComplete]).toEqual([["MobileNetV1", "mobilenet, half"], true]);
  expect(ask.mock.calls).toEqual([[], ["older"], ["oldest"]]);
  search.stop();
});

it("waits for the next look at the list when a page cannot be had", async () => {
  const list = new PagedList(ask);
  const search = new NameSearch(list);
  await list.refresh();
  search.words = "half";
  ask.mockRejectedValueOnce(new Error("gone"));
  await readAll(search);
  expect([names(search), search.isComplete, ask.mock.calls.length]).toEqual([[], false, 2]);
  await list.refresh();
  await readAll(search);
  expect(names(search)).toEqual(["mobilenet, half"]);
  search.stop();
});
