// The compared candidates and their full networks as points of cost against accuracy.

import { group } from "d3-array";

import { deltas, nameOf, type Deltas, type Origin, type Row } from "./compare";
import { deltaText } from "./compareColumns";
import { COSTS, costText, FULL, type Cost, type CostPoint, type Costs } from "./costPoints";
import { count, percent, withError } from "./format";

/** The kind of times that most candidates have: one axis has those of one kind only. Undefined where nothing was measured. */
export function mainKind(rows: readonly Row[]): string | undefined {
  const counts = new Map<string, number>();
  for (const { time } of rows) if (time) counts.set(time.kind, (counts.get(time.kind) ?? 0) + 1);
  return [...counts].sort(([, a], [, b]) => b - a)[0]?.[0];
}

/** The candidates; they belong to their searches where there are several, and to their strategies within one. */
export function comparedPoints(rows: readonly Row[], kind: string | undefined, hasSearches: boolean): CostPoint[] {
  const most = mostImages(rows);
  return rows.map((row) => ({
    id: row.id,
    name: `Candidate ${row.index}`,
    series: hasSearches ? row.origin.id : row.strategy,
    costs: {
      macs: row.macs,
      parameters: row.parameters,
      bytes: row.bytes,
      latency: row.time?.kind === kind ? (row.time?.milliseconds ?? null) : null,
    },
    top1: row.top1,
    interval: row.interval,
    plain: row.plain,
    isPartial: row.images < (most.get(raceKey(row)) ?? 0),
  }));
}

/** Candidates that race against each other. */
const raceKey = ({ origin, budgetPlace }: Row): string => `${origin.id}\n${budgetPlace}`;

/** The most images that any candidate of each race was scored on. */
function mostImages(rows: readonly Row[]): Map<string, number> {
  const most = new Map<string, number>();
  for (const row of rows) most.set(raceKey(row), Math.max(most.get(raceKey(row)) ?? 0, row.images));
  return most;
}

/** The full network of each search that has scored it. Its latency is the median of what was measured in turn with the candidates. */
export function fullPoints(origins: readonly Origin[], rows: readonly Row[], kind: string | undefined): CostPoint[] {
  const bySearch = group(rows, ({ origin }) => origin.id);
  return origins.flatMap(({ id, title, full }) => {
    if (!full) return [];
    const measured = (bySearch.get(id) ?? [])
      .flatMap(({ time }) => (time && time.kind === kind ? [time.full] : []))
      .sort((a, b) => a - b);
    return {
      id: `${FULL} ${id}`,
      name: origins.length > 1 ? `Full network of ${title}` : "Full network",
      series: FULL,
      costs: {
        macs: full.macs,
        parameters: full.parameters,
        bytes: full.bytes,
        latency: measured[Math.floor(measured.length / 2)] ?? null,
      },
      top1: full.top1,
      interval: full.interval,
      plain: null,
      isPartial: false,
    };
  });
}

/** What is known of a point line by line, with the differences to what candidates are measured against; the full network has no row. */
export function pointLines(
  point: CostPoint,
  row: Row | undefined,
  pinned: Row | undefined,
  hasSearches: boolean,
): string[] {
  if (!row) return [`Top-1 ${percent(point.top1, 2)}`, costsText(point.costs, undefined)];
  const isPinned = row === pinned;
  const differences = isPinned ? undefined : deltas(row, pinned);
  const baseline = pinned ? nameOf(pinned, hasSearches) : "the full network";
  return [
    // Where there are several, the point is called after its search.
    ...(hasSearches ? [] : [row.origin.title]),
    `${row.strategy}, for ${row.budget}`,
    `Top-1 ${withError(row.top1, row.error)}, from ${count(row.images)} images`,
    ...(isPinned ? ["The others are measured against it"] : []),
    ...(differences && differences.top1 !== null
      ? [`${deltaText("top1", differences.top1)} points to ${baseline}`]
      : []),
    costsText(point.costs, differences),
  ];
}

const costsText = (costs: Costs, differences: Deltas | undefined): string =>
  COSTS.flatMap((cost) => {
    const value = costs[cost];
    return value === null ? [] : [withDifference(cost, value, differences?.[cost] ?? null)];
  }).join(" · ");

const withDifference = (cost: Cost, value: number, difference: number | null): string =>
  difference === null ? costText(cost, value) : `${costText(cost, value)} (${deltaText(cost, difference)})`;
