import { expect, it } from "vitest";

import type { Candidate, Search } from "../api/types";
import { measuredSpeed } from "./measuredSpeed";

const search = { request: { round_to: null }, baseline: { macs: 100 } } as Search;
const latency = {
  runtime: "onnxruntime",
  device: "cpu",
  batch_size: 1,
  runs: 20,
  milliseconds: 2,
  full_milliseconds: 5,
};
const measured = {
  macs: 40,
  latencies: [
    { ...latency, threads: 4 },
    { ...latency, threads: 1 },
  ],
} as Candidate;

it("is that of the best candidate that was measured in ONNX Runtime with one thread", () => {
  const unmeasured = { macs: 50, latencies: [] } as unknown as Candidate;
  expect(measuredSpeed(search, [unmeasured, measured])).toMatchObject({ speedup: 2.5, macs: 40, fullMacs: 100 });
  expect(measuredSpeed(search, [unmeasured])).toBeUndefined();
  expect(measuredSpeed({ ...search, baseline: null }, [measured])).toBeUndefined();
});
