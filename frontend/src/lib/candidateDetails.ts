// All that is known of a point of a search's chart, line by line.

import type { Search } from "../api/types";
import { originBudget } from "./budgets";
import { MADE_NAMES, mainLatency, scoreOf, type Ranked } from "./candidates";
import { COSTS, costText, type CostPoint } from "./costPoints";
import { count, counted, latency, loss, percent, points } from "./format";
import { bestWord } from "./searches";

/** The lines of a candidate, or of the full network where there is no row. */
export function candidateDetails(
  point: CostPoint,
  row: Ranked | undefined,
  search: Pick<Search, "baseline" | "budgets" | "state" | "request">,
  isBest: boolean,
): string[] {
  const { interval } = point;
  const bounds = interval ? `, ${percent(interval.low)} to ${percent(interval.high)} with 95% confidence` : "";
  const accuracy = `Top-1 ${percent(point.top1, 2)}${bounds}`;
  const costs = COSTS.flatMap((cost) => {
    const value = point.costs[cost];
    return value === null || cost === "latency" ? [] : costText(cost, value);
  }).join(" · ");
  if (!row) return [accuracy, costs];
  const { candidate, rank } = row;
  const { score, score_without_adaptation: plain, test_score: test } = candidate;
  const place = isBest ? bestWord(search.state) : `rank ${count(rank)}`;
  const tied = candidate.is_tied && !isBest ? ", cannot be told from the best" : "";
  const measured = mainLatency(candidate, search.request.latency_of);
  return [
    `For ${originBudget(search.budgets, candidate.origin.budget)}: ${place}${tied}`,
    accuracy,
    `From ${counted(candidate.scored_images, "image")}${point.isPartial ? ", fewer than others" : ""}`,
    `Top-5 ${percent(score.top5, 2)}, cross-entropy ${loss(score.cross_entropy)}`,
    ...(search.baseline ? [`${points(score.top1 - search.baseline.score.top1, 2)} points to the full network`] : []),
    ...(plain ? [`${percent(plain.top1, 2)} without adaptive BN`] : []),
    ...(["repaired", "short_tuned"] as const).flatMap((kind) => {
      const made = scoreOf(candidate, kind);
      return made ? [`${MADE_NAMES[kind]}: ${percent(made.top1, 2)}`] : [];
    }),
    ...(test ? [`${percent(test.top1, 2)} on the test images`] : []),
    costs,
    ...(measured ? [latency(measured.milliseconds, measured.full_milliseconds)] : []),
  ];
}
