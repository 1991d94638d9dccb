import { describe, expect, it } from "vitest";

import type { Search } from "../api/types";
import { distinctTitles, remaining, titleOf, titlesOf } from "./searches";

const search = (change: Partial<Search>): Search => ({
  id: "s",
  name: null,
  model_id: "m",
  dataset_id: "d",
  state: "running",
  request: {
    model_id: "m",
    dataset_id: "d",
    strategies: ["random"],
    uniform_reference: true,
    front: false,
    racing: true,
    repaired: 0,
    short_tuned: 0,
    short_tune_epochs: 3,
    vanilla_images: 512,
    macs: 0.5,
    candidates: 48,
    seed: 0,
    calibration_images: 1000,
    scoring_images: 1500,
    batch_size: 128,
    round_to: 1,
    min_keep_ratio: 0.1,
    adaptation: { mode: "cumulative" },
    preprocessing: { mean: [0], deviation: [1], scale: 1 / 255 },
  },
  progress: { phase: "candidates", done: 12, total: 48 },
  baseline: null,
  best_candidate_id: null,
  winners: [],
  budgets: [{ macs: 0.5 }],
  warnings: [],
  split: null,
  latency_model: null,
  error: null,
  waiting_for: null,
  created_at: "2026-11-25T12:00:00Z",
  started_at: "2026-11-25T12:00:10Z",
  finished_at: null,
  ...change,
});

it("is expected to go on as it went", () => {
  expect(remaining(search({}), [1, 3])).toBe(72);
  expect(remaining(search({}), [])).toBeUndefined();
  expect(remaining(search({ progress: { phase: "baseline", done: 0, total: 1 } }), [1])).toBeUndefined();
  expect(remaining(search({ state: "cancelled" }), [1])).toBeUndefined();
});

it("calls a search without a name by its model and budgets", () => {
  const budgets = [{ macs: 0.7 }, { macs: 0.3 }];
  expect(titleOf(search({ budgets }), "MobileNetV1")).toBe("MobileNetV1 at 70% and 30% of MACs");
  expect(titleOf(search({ budgets: [] }), "MobileNetV1")).toBe("MobileNetV1 with keep counts by hand");
  expect(titleOf(search({}), "MobileNetV1")).toBe("MobileNetV1 at 50% of MACs");
  expect(titleOf(search({ name: "First try" }), "MobileNetV1")).toBe("First try");
});

it("calls searches by what is known of them, and leaves out those that cannot be had", async () => {
  const gone = (): Promise<never> => Promise.reject(new Error("gone"));
  const known = new Map([
    ["named", search({ name: "First try", model_id: "gone" })],
    ["unnamed", search({})],
    ["orphan", search({ model_id: "gone" })],
  ]);
  const asked: string[] = [];
  const titles = await titlesOf(
    ["named", "unnamed", "orphan", "deleted"],
    (id) => (known.has(id) ? Promise.resolve(known.get(id)!) : gone()),
    (id) => {
      asked.push(id);
      return id === "m" ? Promise.resolve({ name: "MobileNetV1" }) : gone();
    },
  );
  expect([...titles]).toEqual([
    ["named", "First try"],
    ["unnamed", "MobileNetV1 at 50% of MACs"],
    ["orphan", "Search at 50% of MACs"],
  ]);
  expect(asked, "only for those without a name").toEqual(["m", "gone"]);
});

describe("titles beside each other", () => {
  const titled = (id: string, title: string, day: number) => ({ id, title, createdAt: `2026-01-0${day}T00:00:00Z` });

  it("are numbered in the order of creation where they are the same", () => {
    const titles = distinctTitles([titled("b", "Net", 2), titled("c", "Other", 1), titled("a", "Net", 3)]);
    expect(Object.fromEntries(titles)).toEqual({ b: "Net (1)", a: "Net (2)", c: "Other" });
  });

  it("count a search that comes twice once", () => {
    expect([...distinctTitles([titled("a", "Net", 1), titled("a", "Net", 1)])]).toEqual([["a", "Net"]]);
  });

  it("pass over a number that is in another one's name", () => {
    const titles = distinctTitles([titled("a", "Net", 1), titled("b", "Net", 2), titled("c", "Net (1)", 3)]);
    expect(Object.fromEntries(titles)).toEqual({ a: "Net (2)", b: "Net (3)", c: "Net (1)" });
  });
});
