// Candidates of any searches beside each other: what is known of each, and how it differs from what it is measured against.

import { RANKING } from "../api/ranking.gen";
import type { CandidateRow, Interval, Model, Search } from "../api/types";
import { originBudget } from "./budgets";
import { isReference, mainLatency, topOneError } from "./candidates";
import { titleOf } from "./searches";

/** A channel group that can be pruned. */
export interface Group {
  name: string;
  size: number;
}

/** A model with its groups in the order of the network. */
export interface Network {
  id: string;
  name: string;
  groups: readonly Group[];
  /** What tells where its MACs are. */
  structure: Pick<Model, "layers" | "groups">;
  macs: number | null;
  parameters: number;
}

export const networkOf = ({ id, name, layers, groups, macs, parameters }: Model): Network => ({
  id,
  name,
  groups: groups.filter(({ prunable }) => prunable).map(({ name, size }) => ({ name, size })),
  structure: { layers, groups },
  macs: macs ?? null,
  parameters,
});

/** What is known of a full network. */
export interface Full {
  top1: number;
  interval: Interval | null;
  test: number | null;
  macs: number;
  parameters: number;
  bytes: number | null;
}

/** What the candidates of a search have in common. */
export interface Origin {
  id: string;
  /** Unlike that of any other search that is compared. */
  title: string;
  createdAt: string;
  network: Network;
  /** The full network, as the search scored it; null before it has. */
  full: Full | null;
  /** MACs of the full network; null where they are not known. */
  macs: number | null;
  budgets: Search["budgets"];
  request: Search["request"];
}

export const originOf = (search: Search, network: Network): Origin => ({
  id: search.id,
  title: titleOf(search, network.name),
  createdAt: search.created_at,
  network,
  full: search.baseline && {
    top1: search.baseline.score.top1,
    interval: search.baseline.intervals?.top1 ?? null,
    test: search.baseline.test?.top1 ?? null,
    macs: search.baseline.macs,
    parameters: search.baseline.parameters,
    bytes: search.baseline.bytes,
  },
  macs: search.baseline?.macs ?? network.macs,
  budgets: search.budgets,
  request: search.request,
});

/** A measured time, with the full network's beside it. */
export interface Time {
  milliseconds: number;
  full: number;
  /** What it was measured in: times of different kinds are not compared. */
  kind: string;
}

/** A candidate without what this page does not show: there may be ten thousand of them. */
export interface Row {
  id: string;
  index: number;
  origin: Origin;
  strategy: string;
  isReference: boolean;
  isProbe: boolean;
  /** In words. */
  budget: string;
  budgetPlace: number | null;
  top1: number;
  interval: Interval;
  /** What stands behind ±. */
  error: number;
  test: number | null;
  top5: number;
  plain: number | null;
  loss: number | null;
  images: number;
  macs: number;
  /** Of the MACs of its own full network; null where those are not known. */
  macsShare: number | null;
  parameters: number;
  parametersShare: number;
  bytes: number | null;
  time: Time | null;
  seconds: number;
  /** Units kept of each of the network's groups, and the share of its units that they are. */
  kept: Uint32Array;
  ratios: Float32Array;
}

export function rowOf(candidate: CandidateRow, origin: Origin): Row {
  const { groups } = origin.network;
  const kept = Uint32Array.from(groups, ({ size }, place) => candidate.kept[place] ?? size);
  const latency = mainLatency(candidate);
  return {
    id: candidate.id,
    index: candidate.index,
    origin,
    strategy: candidate.origin.strategy,
    isReference: isReference(candidate),
    isProbe: candidate.origin.is_probe,
    budget: originBudget(origin.budgets, candidate.origin.budget),
    budgetPlace: candidate.origin.budget,
    top1: candidate.score.top1,
    interval: candidate.intervals.top1,
    error: topOneError(candidate),
    test: candidate.test_score?.top1 ?? null,
    top5: candidate.score.top5,
    plain: candidate.score_without_adaptation?.top1 ?? null,
    loss: candidate.score.cross_entropy,
    images: candidate.scored_images,
    macs: candidate.macs,
    macsShare: origin.macs === null ? null : candidate.macs / origin.macs,
    parameters: candidate.parameters,
    parametersShare: candidate.parameters / (origin.full?.parameters ?? origin.network.parameters),
    bytes: candidate.bytes,
    time: latency
      ? {
          milliseconds: latency.milliseconds,
          full: latency.full_milliseconds,
          kind: [latency.runtime, latency.device, latency.threads, latency.batch_size].join(" "),
        }
      : null,
    seconds: candidate.seconds,
    kept,
    ratios: ratiosOf(kept, groups),
  };
}

export const ratiosOf = (kept: Uint32Array, groups: readonly Group[]): Float32Array =>
  Float32Array.from(groups, ({ size }, group) => (size > 0 ? (kept[group] ?? size) / size : 1));

/** Rows with the titles that their searches have beside each other; those that have them already stay the same objects. */
export function retitled(rows: readonly Row[], titles: ReadonlyMap<string, string>): Row[] {
  // One origin for all rows of it, as before.
  const known = new Map<Origin, Origin>();
  return rows.map((row) => {
    const { origin } = row;
    const title = titles.get(origin.id) ?? origin.title;
    if (title === origin.title) return row;
    const changed = known.get(origin) ?? { ...origin, title };
    known.set(origin, changed);
    return { ...row, origin: changed };
  });
}

/** The share of a group's units that a candidate keeps. */
export const ratio = (row: Row, group: number): number => row.ratios[group] ?? 1;

/** What to call a candidate where several searches are compared, or one. */
export const nameOf = (row: Row, hasSearches: boolean): string =>
  hasSearches ? `Candidate ${row.index} of ${row.origin.title}` : `Candidate ${row.index}`;

/** How a candidate differs from what it is compared with; null where that cannot be said. */
export interface Deltas {
  /** In fractions: 0.01 is a percentage point. */
  top1: number | null;
  test: number | null;
  /** Relative: −0.5 is half as much. */
  macs: number | null;
  parameters: number | null;
  bytes: number | null;
  latency: number | null;
}

/**
 * The differences to a pinned candidate or, without one, to the full network of the candidate's own search. Between models, costs
 * are compared as shares of each one's full network.
 */
export function deltas(row: Row, pinned: Row | undefined): Deltas {
  if (!pinned) {
    const { full } = row.origin;
    return {
      top1: full && row.top1 - full.top1,
      test: difference(row.test, full?.test ?? null),
      macs: relative(row.macsShare, 1),
      parameters: relative(row.parametersShare, 1),
      bytes: relative(bytesShare(row), 1),
      latency: row.time && relative(row.time.milliseconds, row.time.full),
    };
  }
  const isSameModel = row.origin.network.id === pinned.origin.network.id;
  return {
    top1: row.top1 - pinned.top1,
    test: difference(row.test, pinned.test),
    macs: isSameModel ? relative(row.macs, pinned.macs) : relative(row.macsShare, pinned.macsShare),
    parameters: isSameModel
      ? relative(row.parameters, pinned.parameters)
      : relative(row.parametersShare, pinned.parametersShare),
    bytes: isSameModel ? relative(row.bytes, pinned.bytes) : relative(bytesShare(row), bytesShare(pinned)),
    latency:
      row.time && pinned.time && row.time.kind === pinned.time.kind
        ? isSameModel
          ? relative(row.time.milliseconds, pinned.time.milliseconds)
          : relative(row.time.milliseconds / row.time.full, pinned.time.milliseconds / pinned.time.full)
        : null,
  };
}

const difference = (a: number | null, b: number | null): number | null => (a === null || b === null ? null : a - b);

const bytesShare = ({ bytes, origin: { full } }: Row): number | null =>
  bytes !== null && full?.bytes ? bytes / full.bytes : null;

const relative = (a: number | null, b: number | null): number | null =>
  a === null || b === null || b === 0 ? null : a / b - 1;

const RANKED_BY: Record<(typeof RANKING)[number]["by"], (row: Row) => number | null> = {
  images: ({ images }) => images,
  top1: ({ top1 }) => top1,
  cross_entropy: ({ loss }) => loss,
  index: ({ index }) => index,
};

/** The best of some candidates, as the server ranks: those that a race scored on more images come first. */
export function bestOf(rows: readonly Row[]): Row | undefined {
  let best: Row | undefined;
  for (const row of rows) if (!best || isBetter(row, best)) best = row;
  return best;
}

function isBetter(a: Row, b: Row): boolean {
  for (const { by, descending } of RANKING) {
    const [first, second] = [RANKED_BY[by](a), RANKED_BY[by](b)];
    if (first === second) continue;
    if (first === null || second === null) return second === null;
    return first > second === descending;
  }
  return false;
}
