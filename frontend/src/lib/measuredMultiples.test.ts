import { describe, expect, it } from "vitest";

import type { Candidate, Search } from "../api/types";
import { atEqualMacs, measuredNetworks, multiplesCsv, multiplesName, newestByMultiples } from "./measuredMultiples";

const search = (id: string, round_to: number | null, others: Partial<Search> = {}): Search =>
  ({ id, model_id: "m", state: "succeeded", request: { round_to }, baseline: { macs: 100 }, ...others }) as Search;

const candidate = (macs: number, milliseconds = 2, threads = [4, 1]): Candidate =>
  ({
    macs,
    latencies: threads.map((threads) => ({
      ...{ runtime: "onnxruntime", device: "cpu", batch_size: 1, runs: 20, threads },
      ...{ milliseconds: milliseconds / threads, full_milliseconds: 5 / threads },
    })),
  }) as Candidate;

describe("the newest searches for each choice of multiples", () => {
  it("are of the model and succeeded, some for each", () => {
    const searches = [
      search("failed", null, { state: "failed" }),
      search("foreign", 1, { model_id: "other" }),
      ...[1, 2, 3, 4, 5].map((age) => search(`usual ${age}`, null)),
      search("any", 1),
    ];
    const found = newestByMultiples("m", searches).map(({ id }) => id);
    expect(found).toEqual(["usual 1", "usual 2", "usual 3", "usual 4", "any"]);
  });
});

describe("measured networks", () => {
  it("are those with a latency on one thread", () => {
    const networks = measuredNetworks(search("s", 4), [candidate(50, 2, []), candidate(40), candidate(30, 2, [4])]);
    expect(networks).toMatchObject([{ roundTo: 4, macs: 0.4, latency: { threads: 1, milliseconds: 2 } }]);
  });

  it("are none where the full network's cost is unknown", () => {
    expect(measuredNetworks(search("s", 4, { baseline: null }), [candidate(40)])).toEqual([]);
  });

  it("are compared at the share of MACs at which most choices were measured, the default first", () => {
    const any = measuredNetworks(search("any", 1), [candidate(24, 3), candidate(51, 4)]);
    const usual = measuredNetworks(search("usual", null), [candidate(50, 1), candidate(75, 2)]);
    const networks = atEqualMacs([...any, ...usual]);
    expect(networks.map(({ search, macs }) => [search.id, macs])).toEqual([
      ["usual", 0.5],
      ["any", 0.51],
    ]);
    expect(atEqualMacs([])).toEqual([]);
  });

  it("are not compared where their costs differ", () => {
    const any = measuredNetworks(search("any", 1), [candidate(75)]);
    const usual = measuredNetworks(search("usual", null), [candidate(50)]);
    expect(atEqualMacs([...any, ...usual])).toHaveLength(1);
  });

  it("are saved with both times", () => {
    expect(
      multiplesCsv(measuredNetworks(search("s", 1), [candidate(40)]))
        .trim()
        .split("\r\n"),
    ).toEqual(["multiples,search,macs_share,milliseconds,full_milliseconds", "any count,s,0.4,2,5"]);
  });
});

it("calls multiples by words", () => {
  expect([null, 1, 16].map(multiplesName)).toEqual([
    "multiples of 8 where groups allow it",
    "any count",
    "multiples of 16",
  ]);
});
