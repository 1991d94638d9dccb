// What speed was measured of a model's pruned networks with one multiple of channels beside another.

import type { Candidate, Latency, Search } from "../api/types";
import { mainLatency } from "./candidates";
import { csv } from "./csv";

/** A pruned network whose latency was measured. */
export interface MeasuredNetwork {
  search: Search;
  /** Channels of its groups are multiples of this; null for 8 where groups allow it. */
  roundTo: number | null;
  /** Share of the full network's MACs. */
  macs: number;
  latency: Latency;
}

/** What multiples a search was asked for; null for 8 where groups allow it. */
export const roundTo = ({ request }: Pick<Search, "request">): number | null => request.round_to ?? null;

/** What a choice of multiples is called in a sentence. */
export function multiplesName(multiple: number | null): string {
  if (multiple === null) return "multiples of 8 where groups allow it";
  return multiple === 1 ? "any count" : `multiples of ${multiple}`;
}

/** Searches that are looked at for each choice of multiples. */
const NEWEST = 4;

/** The newest searches of a model that succeeded, some for each choice of multiples; `searches` begin with the newest. */
export function newestByMultiples(model: string, searches: readonly Search[]): Search[] {
  const found = new Map<number | null, number>();
  return searches.filter((search) => {
    if (search.model_id !== model || search.state !== "succeeded") return false;
    const before = found.get(roundTo(search)) ?? 0;
    found.set(roundTo(search), before + 1);
    return before < NEWEST;
  });
}

/** Those of a search's candidates that were measured in ONNX Runtime with one thread and one image. */
export function measuredNetworks(search: Search, candidates: readonly Candidate[]): MeasuredNetwork[] {
  const full = search.baseline?.macs;
  if (full === undefined) return [];
  return candidates.flatMap((candidate) => {
    const latency = mainLatency(candidate);
    const isComparable = latency?.runtime === "onnxruntime" && latency.threads === 1 && latency.batch_size === 1;
    return isComparable ? [{ search, roundTo: roundTo(search), macs: candidate.macs / full, latency }] : [];
  });
}

/** Networks whose shares of the MACs differ by more than this are not compared. */
const ABOUT_EQUAL = 0.02;

/**
 * One network for each choice of multiples, all at about the same share of the MACs: that at which most choices were measured, and of
 * several that at which they lie closest together. Sorted by the multiples, the default first.
 */
export function atEqualMacs(measured: readonly MeasuredNetwork[]): MeasuredNetwork[] {
  const choices = [...new Set(measured.map(({ roundTo }) => roundTo))].map((choice) =>
    measured.filter(({ roundTo }) => roundTo === choice),
  );
  let best: { networks: MeasuredNetwork[]; distance: number } | undefined;
  for (const { macs } of measured) {
    const networks = choices.flatMap((ofOne) => nearest(ofOne, macs));
    const distance = networks.reduce((sum, one) => sum + Math.abs(one.macs - macs), 0);
    const [most, least] = [best?.networks.length ?? 0, best?.distance ?? Infinity];
    if (networks.length > most || (networks.length === most && distance < least)) best = { networks, distance };
  }
  return (best?.networks ?? []).toSorted((a, b) => (a.roundTo ?? 0) - (b.roundTo ?? 0));
}

/** The one that is closest to a share; none where that is far from it. */
function nearest(networks: readonly MeasuredNetwork[], share: number): MeasuredNetwork[] {
  const away = ({ macs }: MeasuredNetwork): number => Math.abs(macs - share);
  const sorted = networks.filter((one) => away(one) <= ABOUT_EQUAL).toSorted((a, b) => away(a) - away(b));
  return sorted.slice(0, 1);
}

export const multiplesCsv = (networks: readonly MeasuredNetwork[]): string =>
  csv(
    ["multiples", "search", "macs_share", "milliseconds", "full_milliseconds"],
    networks.map(({ roundTo, search, macs, latency }) => [
      ...[multiplesName(roundTo), search.id, macs],
      ...[latency.milliseconds, latency.full_milliseconds],
    ]),
  );
