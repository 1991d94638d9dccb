import { afterEach, beforeEach, expect, it, vi } from "vitest";

import { navigation } from "../navigation.svelte";
import { whole } from "./codecs";
import { SettlingParam } from "./viewParam.svelte";

vi.mock("../navigation.svelte", () => ({ navigation: { param: () => "7", amend: vi.fn() } }));

beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  vi.useRealTimers();
  vi.mocked(navigation.amend).mockClear();
});

it("holds at once, and comes to the address after the last of many changes", () => {
  const epoch = new SettlingParam("epoch", whole);
  expect(epoch.value).toBe(7);
  for (const value of [6, 5, 4]) {
    epoch.value = value;
    vi.advanceTimersByTime(100);
  }
  expect(epoch.value).toBe(4);
  expect(navigation.amend).not.toHaveBeenCalled();
  vi.advanceTimersByTime(200);
  expect(vi.mocked(navigation.amend).mock.calls).toEqual([[{ epoch: "4" }]]);
});

it("can be nothing before the address says so", () => {
  const epoch = new SettlingParam("epoch", whole);
  epoch.value = undefined;
  expect(epoch.value).toBeUndefined();
  vi.advanceTimersByTime(300);
  expect(vi.mocked(navigation.amend).mock.calls).toEqual([[{ epoch: null }]]);
});

it("is not written into the address of another page", () => {
  const epoch = new SettlingParam("epoch", whole);
  epoch.value = 3;
  epoch.stop();
  vi.advanceTimersByTime(1000);
  expect(navigation.amend).not.toHaveBeenCalled();
});
