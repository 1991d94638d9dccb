import { expect, it } from "vitest";

import { addressWith, remember } from "./lastComparison";

/** Kept as the browser does. */
function aStore() {
  const kept = new Map<string, string>();
  return {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => void kept.set(key, value),
    removeItem: (key: string) => void kept.delete(key),
  };
}

const read = (address: string): Record<string, string> =>
  Object.fromEntries(new URL(address, "http://localhost").searchParams);

const candidate = { id: "c", searchId: "s" };

it("begins with the candidate alone", () => {
  expect(addressWith(candidate, aStore())).toBe("/compare?candidates=c&selected=c");
});

it("adds to the comparison that there was last", () => {
  const store = aStore();
  remember({ searches: ["other"], candidates: ["a", "b"], baseline: "a" }, store);
  expect(read(addressWith(candidate, store))).toEqual({
    searches: "other",
    candidates: "a,b,c",
    baseline: "a",
    selected: "c",
  });
  remember({ searches: [], candidates: [], baseline: null }, store);
  expect(read(addressWith(candidate, store))).toEqual({ candidates: "c", selected: "c" });
});

it("adds nothing that is compared already, by itself or with its search", () => {
  const store = aStore();
  remember({ searches: ["s"], candidates: ["a"], baseline: null }, store);
  expect(read(addressWith(candidate, store))).toEqual({ searches: "s", candidates: "a", selected: "c" });
  remember({ searches: [], candidates: ["c"], baseline: null }, store);
  expect(read(addressWith(candidate, store))).toEqual({ candidates: "c", selected: "c" });
});
