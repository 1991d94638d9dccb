import { describe, expect, it } from "vitest";

import type { CandidateRow, Search } from "../api/types";
import { bestOf, deltas, nameOf, originOf, ratio, rowOf } from "./compare";
import { NETWORK, origin, row } from "./compareFixtures";

const SCORE = { top1: 0.8, top5: 0.9, cross_entropy: 0.5 };

describe("rowOf", () => {
  it("keeps what the page shows, with shares of the search's own full network", () => {
    const search = {
      ...{ id: "s", name: null, budgets: [{ macs: 0.5 }], request: {} },
      baseline: { score: { top1: 0.9 }, intervals: null, test: { top1: 0.8 }, macs: 2000, parameters: 200, bytes: 800 },
    } as unknown as Search;
    const candidate = {
      ...{
        id: "c",
        index: 3,
        macs: 500,
        parameters: 50,
        bytes: 200,
        score: SCORE,
        test_score: null,
        scored_images: 10,
      },
      ...{ origin: { strategy: "uniform", budget: 0, number: 0, is_probe: false }, latencies: [], evaluations: [] },
      ...{ intervals: { top1: { low: 0.7, high: 0.9 } }, score_without_adaptation: null, seconds: 1 },
      kept: [16, 16],
    } as unknown as CandidateRow;
    const made = rowOf(candidate, originOf(search, NETWORK));
    expect(made).toMatchObject({ macsShare: 0.25, parametersShare: 0.25, budget: "50% of MACs", isReference: true });
    expect(made.error).toBeCloseTo(0.1);
    expect([...made.kept]).toEqual([16, 16]);
    expect([ratio(made, 0), ratio(made, 1)]).toEqual([1, 0.25]);
    expect(nameOf(made, true)).toBe("Candidate 3 of Net at 50% of MACs");
  });
});

describe("deltas", () => {
  const time = (milliseconds: number, full: number, kind = "a") => ({ time: { milliseconds, full, kind } });

  it("are to the full network of the candidate's own search", () => {
    const found = deltas(row("a", { ...time(2, 4), test: 0.8 }), undefined);
    expect(found.top1).toBeCloseTo(-0.1);
    expect(found.test).toBeCloseTo(-0.08);
    expect([found.macs, found.parameters, found.bytes, found.latency]).toEqual([-0.5, -0.5, -0.5, -0.5]);
    expect(deltas(row("a", { bytes: null }), undefined).bytes).toBeNull();
  });

  it("are not there before the full network has been scored", () => {
    expect(deltas(row("a", { origin: origin({ full: null }) }), undefined).top1).toBeNull();
  });

  it("are to a pinned candidate, in absolute costs within a model", () => {
    const found = deltas(row("a", { macs: 250, bytes: 300, ...time(3, 4) }), row("b", { top1: 0.7, ...time(2, 4) }));
    expect(found.top1).toBeCloseTo(0.1);
    expect([found.macs, found.bytes, found.latency]).toEqual([-0.5, 0.5, 0.5]);
  });

  it("are in shares of the full networks between models", () => {
    const other = origin({ network: { ...NETWORK, id: "other" } });
    const found = deltas(
      row("a", { macs: 9, macsShare: 0.25, ...time(1, 2) }),
      row("b", { origin: other, ...time(1, 1) }),
    );
    expect([found.macs, found.latency]).toEqual([-0.5, -0.5]);
  });

  it("compare no times of different kinds", () => {
    expect(deltas(row("a", time(1, 2)), row("b", time(1, 2, "b"))).latency).toBeNull();
  });
});

it("finds the best as the server ranks: by images, accuracy, loss, and number", () => {
  const few = row("few", { images: 500, top1: 0.9 });
  const rows = [few, row("worse", { loss: 0.5 }), row("best"), row("later", { index: 1 }), row("none", { loss: null })];
  expect(bestOf(rows)?.id).toBe("best");
  expect(bestOf([few])?.id).toBe("few");
  expect(bestOf([])).toBeUndefined();
});
