// A candidate beside the full network: accuracies with their intervals, and costs.

import type { Baseline, Candidate, EvaluationKind, Interval, Score, Search } from "../api/types";
import { bytes, comparison, count, counted, milliseconds, NONE, percent, points } from "./format";
import { wilson } from "./intervals";
import { RUNTIME_NAMES } from "./names";

/** One network on one set of images. */
export interface AccuracyRow {
  key: string;
  network: string;
  imageSet: "scoring" | "test";
  /** Undefined where the search does not say. */
  images: number | undefined;
  score: Score;
  interval: Interval;
  /** To the full network on the same set; undefined for the full network itself. */
  delta: number | undefined;
}

const NETWORKS: Record<EvaluationKind, string> = {
  adapted: "Adaptive BN",
  repaired: "Repaired",
  short_tuned: "Trained briefly",
  unadapted: "Without adaptive BN",
};

const KINDS = Object.keys(NETWORKS) as EvaluationKind[];

/** What is known of both, scoring images first, each network from the most images that it was scored on. */
export function accuracyRows(
  { evaluations }: Pick<Candidate, "evaluations">,
  { baseline, split }: Pick<Search, "baseline" | "split">,
): AccuracyRow[] {
  return (["scoring", "test"] as const).flatMap((imageSet) => {
    const full = baseline && fullRow(baseline, imageSet, split?.[imageSet]);
    const own = KINDS.flatMap((kind) => {
      const [most] = evaluations
        .filter((evaluation) => evaluation.kind === kind && evaluation.image_set === imageSet)
        .toSorted((a, b) => b.images - a.images);
      if (!most) return [];
      const { images, score, intervals } = most;
      const delta = full ? score.top1 - full.score.top1 : undefined;
      return {
        key: `${kind}/${imageSet}`,
        network: NETWORKS[kind],
        imageSet,
        images,
        score,
        interval: intervals.top1,
        delta,
      };
    });
    return full ? [full, ...own] : own;
  });
}

function fullRow(
  { score, intervals, test }: Baseline,
  imageSet: "scoring" | "test",
  images: number | undefined,
): AccuracyRow | undefined {
  const own = imageSet === "scoring" ? score : test;
  if (!own) return undefined;
  const known = imageSet === "scoring" ? intervals?.top1 : undefined;
  const interval = known ?? (images === undefined ? { low: own.top1, high: own.top1 } : wilson(own.top1, images));
  return { key: `full/${imageSet}`, network: "Full network", imageSet, images, score: own, interval, delta: undefined };
}

/** A cost of both networks. */
export interface CostRow {
  name: string;
  /** Where and how it was measured. */
  how?: string;
  full: number;
  own: number;
  text: (value: number) => string;
  /** What the candidate's is beside the full network's. */
  change: string;
  isWorse: boolean;
}

const fewer = (own: number, full: number): string => (own === full ? "the same" : `${points(own / full - 1)}%`);

/** Costs that are known of both. */
export function costRows(
  candidate: Pick<Candidate, "macs" | "parameters" | "bytes" | "latencies">,
  baseline: Pick<Baseline, "macs" | "parameters" | "bytes"> | null,
): CostRow[] {
  const sizes = [
    { name: "MACs", own: candidate.macs, full: baseline?.macs, text: count },
    { name: "Parameters", own: candidate.parameters, full: baseline?.parameters, text: count },
    { name: "Size of weights", own: candidate.bytes, full: baseline?.bytes, text: bytes },
  ].flatMap(({ name, own, full, text }): CostRow[] =>
    own == null || full == null ? [] : [{ name, own, full, text, change: fewer(own, full), isWorse: own > full }],
  );
  const latencies = candidate.latencies.map(
    ({ runtime, device, threads, batch_size, milliseconds: own, full_milliseconds: full }): CostRow => ({
      name: `Latency, ${RUNTIME_NAMES[runtime]}`,
      how: [device === "cpu" ? counted(threads, "thread") : device, counted(batch_size, "image")].join(", "),
      own,
      full,
      text: milliseconds,
      change: comparison(own, full),
      isWorse: own > full && comparison(own, full) !== "as fast",
    }),
  );
  return [...sizes, ...latencies];
}

/** `89.5% to 93.0%` */
export const intervalText = ({ low, high }: Interval): string => `${percent(low)} to ${percent(high)}`;

/** The difference to the full network in percentage points. */
export const deltaText = (delta: number | undefined): string => (delta === undefined ? NONE : points(delta, 2));

/** How a candidate stands among those of its budget, in words; undefined where nothing is to be said. */
export function standing(
  { id, is_tied, origin }: Pick<Candidate, "id" | "is_tied" | "origin">,
  { winners }: Pick<Search, "winners">,
): { text: string; isBest: boolean } | undefined {
  if (winners.some(({ candidate_id }) => candidate_id === id)) return { text: "Best of its budget", isBest: true };
  if (origin.is_probe) return { text: "Probe", isBest: false };
  return is_tied ? { text: "Tied with the best", isBest: false } : undefined;
}
