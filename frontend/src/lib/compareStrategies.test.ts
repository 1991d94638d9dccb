import { describe, expect, it } from "vitest";

import { origin, row } from "./compareFixtures";
import { macsDifference, pairedGroups, pairedLayers, toggled } from "./comparePair";
import { settingLabel, settings } from "./compareSettings";
import { fields, spread } from "./compareStrategies";

describe("strategies against each other", () => {
  const uniform = row("u", { index: 1, strategy: "uniform", isReference: true, top1: 0.7, macsShare: 0.49 });
  const rows = [
    row("a", { index: 4, top1: 0.8, seconds: 3 }),
    uniform,
    row("dear", { index: 2, top1: 0.75, macsShare: 0.6 }),
    row("after", { index: 6, top1: 0.6 }),
  ];
  const probes = [
    row("p", { index: 0, isProbe: true, seconds: 5 }),
    row("late", { index: 5, isProbe: true }),
    row("other", { index: 0, isProbe: true, strategy: "sensitivity" }),
  ];

  const whole = new Set(["s"]);

  it("puts the reference first, and counts what the best took, probes among it", () => {
    const [field, ...others] = fields(rows, [...rows, ...probes], whole);
    expect(others).toEqual([]);
    expect(field?.reference).toBe(uniform);
    expect(field?.lanes.map(({ strategy }) => strategy)).toEqual(["uniform", "random"]);
    const random = field?.lanes[1];
    expect(random?.best.id).toBe("a");
    expect(random?.spent?.untilBest).toEqual({ candidates: 3, seconds: 10 });
    expect(random?.spent?.all.candidates).toBe(5);
    expect(random?.search).toBeUndefined();
    // What is not looked at has cost something all the same.
    const seen = rows.filter(({ id }) => id !== "dear");
    expect(fields(seen, [...rows, ...probes], whole)[0]?.lanes[1]?.spent?.untilBest.candidates).toBe(3);
  });

  it("says nothing of what the best took where only some candidates of a search are there", () => {
    const second = origin({ id: "s2", title: "Second" });
    const picked = [...rows, row("x", { origin: second })];
    const found = fields(picked, picked, whole)[0]?.lanes.map(({ best, spent }) => [
      best.origin.id,
      spent !== undefined,
    ]);
    expect(found).toEqual([
      ["s", true],
      ["s", true],
      ["s2", false],
    ]);
  });

  it("finds the best of what costs no more than the reference, or a little", () => {
    const dearest = [...rows, row("best", { index: 7, top1: 0.9, macsShare: 0.51 })];
    const random = fields(dearest, [], whole)[0]?.lanes.find(({ strategy }) => strategy === "random");
    expect([random?.best.id, random?.bestAtCost?.id]).toEqual(["best", "a"]);
    expect(fields([row("a")], [], whole)[0]?.lanes[0]?.bestAtCost).toBeUndefined();
  });

  it("keeps budgets and searches apart", () => {
    const second = row("x", { origin: origin({ id: "s2", title: "Second" }) });
    const found = fields([row("a"), second, row("b", { budget: "25% of MACs", budgetPlace: 1 })], [], whole);
    expect(found.map(({ budget, lanes }) => [budget, lanes.map(({ search }) => search)])).toEqual([
      ["50% of MACs", ["Search", "Second"]],
      ["25% of MACs", [undefined]],
    ]);
  });

  it("describes a spread by its quarters", () => {
    expect(spread([5, 1, 2, 4, 3])).toEqual({ low: 1, quarter: 2, median: 3, threeQuarters: 4, high: 5 });
    expect(spread([1])).toEqual({ low: 1, quarter: 1, median: 1, threeQuarters: 1, high: 1 });
  });
});

it("lays requests out as paths, and knows which differ", () => {
  const found = settings([
    { name: "a", seed: 1, budgets: [{ macs: 0.5 }], strategies: ["x", "y"], racing: false, round_to: null },
    { name: "b", seed: 2, budgets: [{ macs: 0.5 }, { macs: 0.25 }], strategies: [], racing: false },
  ]);
  expect(found).toEqual([
    { key: "seed", values: ["1", "2"], differs: true },
    { key: "budgets.0.macs", values: ["0.5", "0.5"], differs: false },
    { key: "strategies", values: ["x, y", "none"], differs: true },
    { key: "racing", values: ["false", "false"], differs: false },
    { key: "budgets.1.macs", values: [undefined, "0.25"], differs: true },
  ]);
});

it("calls settings as their fields, each by a name of its own", () => {
  const labels: Record<string, string> = {
    round_to: "Round to multiples of",
    "adaptation.mode": "Adaptive batch norm",
    "adaptation.momentum": "Momentum",
    macs: "Budget, MACs",
    latency: "Budget, latency",
    "budgets.0.macs": "Budget 2, MACs",
    "budget_range.from": "Range of budgets, from",
    "preprocessing.resize.mode": "Resize, mode",
    "preprocessing.resize.size": "Shorter side",
    "group_limits.0.group": "Groups to leave alone 1, group",
    "manual.0.groups.features.0.0": "Strategies of your own 1, groups.features.0.0",
    unheard_of: "Unheard of",
  };
  expect(Object.fromEntries(Object.keys(labels).map((key) => [key, settingLabel(key)]))).toEqual(labels);
});

describe("two candidates", () => {
  it("stand side by side group by group", () => {
    const second = row("b", { kept: Uint32Array.from([16, 16]) });
    expect(pairedGroups(row("a"), second)).toEqual([
      { name: "conv1", size: 16, first: 8, second: 16, difference: 0.5 },
      { name: "conv2", size: 64, first: 32, second: 16, difference: -0.25 },
    ]);
    const other = origin({ network: { ...second.origin.network, id: "o" } });
    expect(pairedGroups(row("a"), row("b", { origin: other }))).toBeUndefined();
  });

  it("stand side by side layer by layer, where their layers' MACs add up to theirs", () => {
    const first = row("a", { macs: 100 + 200 });
    const second = row("b", { kept: Uint32Array.from([16, 16]), macs: 200 + 200 });
    expect(pairedLayers(first, second)).toEqual([
      { name: "conv1", units: { size: 16, first: 8, second: 16 }, full: 200, first: 100, second: 200 },
      { name: "conv2", units: { size: 64, first: 32, second: 16 }, full: 800, first: 200, second: 200 },
    ]);
    expect(pairedLayers(first, row("b")), "500 MACs").toBeUndefined();
    const other = origin({ network: { ...second.origin.network, id: "o" } });
    expect(pairedLayers(first, row("b", { origin: other }))).toBeUndefined();
    expect([macsDifference(100, 100), macsDifference(0, 2e6), macsDifference(300, 100)]).toEqual([
      "0",
      "+2.00\u00a0M",
      "−200",
    ]);
  });

  it("are selected in turn", () => {
    expect(toggled([], "a")).toEqual(["a"]);
    expect(toggled(["a", "b"], "c")).toEqual(["b", "c"]);
    expect(toggled(["a", "b"], "a")).toEqual(["b"]);
  });
});
