// Which candidates cannot be told from the best.

import type { Limits } from "../api/types";
import { originBudget } from "./budgets";
import type { Ranked } from "./candidates";
import { counted } from "./format";

/** How many others cannot be told from the best of each budget that has such, by its place. */
export function tiesOf(rows: readonly Ranked[], bestIds: ReadonlySet<string>): Map<number | null, number> {
  const ties = new Map<number | null, number>();
  for (const { candidate } of rows) {
    if (candidate.is_tied !== true || bestIds.has(candidate.id)) continue;
    ties.set(candidate.origin.budget, (ties.get(candidate.origin.budget) ?? 0) + 1);
  }
  return ties;
}

/** `For 50% of MACs, 12 other candidates cannot be told from the best on these images.`; empty without ties. */
export function tiesText(ties: ReadonlyMap<number | null, number>, budgets: readonly Limits[]): string {
  const parts = [...ties].map(([budget, others]) => {
    const where = budget === null || budgets.length < 2 ? "" : `for ${originBudget(budgets, budget)} `;
    return `${where}${counted(others, "other candidate")}`;
  });
  return parts.length === 0
    ? ""
    : `Too close to call: ${parts.join(", and ")} cannot be told from the best on the images that both were scored on.`;
}
