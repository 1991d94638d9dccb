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

/** The newest search of a model that succeeded, for each choice of multiples; `searches` begin with the newest. */
export function newestByMultiples(model: string, searches: readonly Search[]): Search[] {
  const newest = new Map<number | null, Search>();
  for (const search of searches) {
    if (search.model_id !== model || search.state !== "succeeded" || newest.has(roundTo(search))) continue;
    newest.set(roundTo(search), search);
  }
  return [...newest.values()];
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

/**
 * One network of each search, all at about the same share of the MACs: the share that was measured in one of them and
 * that the others come closest to. Sorted by the multiples, the default first.
 */
export function atEqualMacs(searches: readonly (readonly MeasuredNetwork[])[]): MeasuredNetwork[] {
  const measured = searches.filter((networks) => networks.length > 0);
  const nearest = (networks: readonly MeasuredNetwork[], share: number): MeasuredNetwork =>
    networks.reduce((best, one) => (Math.abs(one.macs - share) < Math.abs(best.macs - share) ? one : best));
  let chosen: { networks: MeasuredNetwork[]; distance: number } | undefined;
  for (const { macs } of measured.flat()) {
    const networks = measured.map((ofOne) => nearest(ofOne, macs));
    const distance = networks.reduce((sum, one) => sum + Math.abs(one.macs - macs), 0);
    if (!chosen || distance < chosen.distance) chosen = { networks, distance };
  }
  return (chosen?.networks ?? []).toSorted((a, b) => (a.roundTo ?? 0) - (b.roundTo ?? 0));
}

export const multiplesCsv = (networks: readonly MeasuredNetwork[]): string =>
  csv(
    ["multiples", "search", "macs_share", "milliseconds", "full_milliseconds"],
    networks.map(({ roundTo, search, macs, latency }) => [
      ...[multiplesName(roundTo), search.id, macs],
      ...[latency.milliseconds, latency.full_milliseconds],
    ]),
  );
