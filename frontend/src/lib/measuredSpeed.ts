// What latency was measured of a model's pruned networks, to say what multiples of channels are for.

import type { Candidate, Search } from "../api/types";

export interface MeasuredSpeed {
  search: Search;
  /** Times as fast as the full network in ONNX Runtime, one thread and one image; below 1 it is slower. */
  speedup: number;
  milliseconds: number;
  fullMilliseconds: number;
  /** MACs of the pruned network and of the full one. */
  macs: number;
  fullMacs: number;
  /** Channels of which groups kept multiples; null for 8 where groups allow it. */
  roundTo: number | null;
}

/** What was measured of the best ranked candidate that has a latency there; undefined where none has. */
export function measuredSpeed(search: Search, candidates: readonly Candidate[]): MeasuredSpeed | undefined {
  for (const { latencies, macs } of candidates) {
    const found = latencies.find((one) => one.runtime === "onnxruntime" && one.threads === 1 && one.batch_size === 1);
    if (!found || !search.baseline) continue;
    return {
      search,
      speedup: found.full_milliseconds / found.milliseconds,
      milliseconds: found.milliseconds,
      fullMilliseconds: found.full_milliseconds,
      macs,
      fullMacs: search.baseline.macs,
      roundTo: search.request.round_to ?? null,
    };
  }
  return undefined;
}
