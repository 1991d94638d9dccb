// What happened in a search, in order, as far as the server says.

import type { CandidateRow, Search, Warning } from "../api/types";
import { originBudget } from "./budgets";
import { phaseText } from "./failure";
import { count, duration, percent, uncapitalised } from "./format";
import { isFinal, progressText } from "./jobs";
import { otherWarnings, warningTitle } from "./warnings";

export interface Entry {
  /** Null for what the server gives no time for; it stands where it belongs. */
  at: string | null;
  text: string;
  tone?: "good" | "warn" | "bad";
  /** The candidate that it is about. */
  candidateId?: string;
}

/** The log of a search, oldest first. */
export function searchLog(search: Search, candidates: readonly CandidateRow[]): Entry[] {
  const inOrder = [...candidates].sort((a, b) => a.index - b.index);
  const [first, last] = [inOrder[0], inOrder.at(-1)];
  const { started_at: start, baseline } = search;
  const wasTakenUp = start !== null && first !== undefined && Date.parse(first.created_at) < Date.parse(start);
  const begin: Entry[] = start === null ? [] : [{ at: start, text: startText(search, wasTakenUp) }];
  const evaluated: Entry[] = [
    ...(first ? [evaluation("First evaluation", first)] : []),
    ...(wasTakenUp ? begin : []),
    ...(last && last !== first ? [evaluation(`Evaluation ${count(inOrder.length)}, the latest`, last)] : []),
  ];
  return [
    { at: search.created_at, text: "Queued" },
    ...(wasTakenUp ? [] : begin),
    ...(baseline ? [{ at: null, text: `The full network was scored: top-1 ${percent(baseline.score.top1, 2)}` }] : []),
    ...warnings(search, "before"),
    ...evaluated.sort((a, b) => Date.parse(a.at ?? "") - Date.parse(b.at ?? "")),
    ...warnings(search, "during"),
    ...warnings(search, "after"),
    ...winners(search, candidates),
    ...end(search),
  ];
}

function startText({ created_at, started_at }: Search, wasTakenUp: boolean): string {
  if (wasTakenUp) return "Taken up again";
  const waited = (Date.parse(started_at ?? created_at) - Date.parse(created_at)) / 1000;
  return waited < 1 ? "Started" : `Started, after ${duration(waited)} in the queue`;
}

/** Probes are not among the candidates that can be looked at. */
const evaluation = (which: string, { id, index, origin, created_at: at }: CandidateRow): Entry => ({
  at,
  text: `${which}: candidate ${index} by ${origin.strategy}${origin.is_probe ? ", a probe" : ""}`,
  ...(origin.is_probe ? {} : { candidateId: id }),
});

const warnings = (search: Search, moment: Warning["at"]): Entry[] =>
  otherWarnings(search)
    .filter(({ at }) => at === moment)
    .map((warning) => ({ at: null, text: `Warning: ${uncapitalised(warningTitle(warning))}`, tone: "warn" }));

const winners = (search: Search, candidates: readonly CandidateRow[]): Entry[] =>
  search.winners.flatMap(({ budget, candidate_id }) => {
    const winner = candidates.find(({ id }) => id === candidate_id);
    if (!winner) return [];
    const where = budget === null ? "" : ` for ${originBudget(search.budgets, budget)}`;
    const text = `Candidate ${winner.index} won${where}, with top-1 ${percent(winner.score.top1, 2)}`;
    return { at: null, text, candidateId: winner.id };
  });

function end(search: Search): Entry[] {
  if (!isFinal(search.state)) return [{ at: null, text: `Now: ${progressText(search)}` }];
  const at = search.finished_at;
  if (search.state === "succeeded") return [{ at, text: "Succeeded", tone: "good" }];
  const when = search.started_at === null ? "before it started" : phaseText(search.progress);
  return search.state === "failed"
    ? [{ at, text: `Failed ${when}, for the reason above`, tone: "bad" }]
    : [{ at, text: `Cancelled ${when}`, tone: "warn" }];
}
