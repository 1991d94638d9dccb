// Where a search failed, why, and what to do, in one sentence.

import type { Search } from "../api/types";
import { capitalised, count } from "./format";
import { findingOf } from "./warnings";

/** What is done in each phase, by the name that the server reports it under. */
const PHASES: Record<string, string> = {
  queued: "before it resumed",
  images: "while images were decoded",
  baseline: "while the full network was scored",
  candidates: "while candidates were evaluated",
  race: "while the better candidates were scored on more images",
  test: "while the winners were scored on the test images",
  repair: "while the best candidates were repaired",
  short_tune: "while the best candidates were trained briefly",
  latency: "while latencies were measured",
};

/** Phases whose steps count nothing that anybody would count. */
const UNCOUNTED = ["queued", "baseline"];

/** `while candidates were evaluated (12 of 48)` */
export function phaseText({ phase, done, total }: Search["progress"]): string {
  const words = PHASES[phase] ?? `in the phase “${phase.replaceAll("_", " ")}”`;
  return total > 0 && !UNCOUNTED.includes(phase) ? `${words} (${count(done)} of ${count(total)})` : words;
}

/** How the sentence goes on that begins with “The search failed”. What the search found itself, it would find again as it is. */
export function failureText({
  started_at,
  progress,
  error,
}: Pick<Search, "started_at" | "progress" | "error">): string {
  const when = started_at === null ? "before it started" : phaseText(progress);
  const reason = error?.trim().replace(/[.\s]+$/, "") || "the server gives no reason";
  const again = findingOf(error) ? "" : ", or try again as it is once the cause is gone";
  return `${capitalised(when)}: ${reason}; start it again with changes${again}.`;
}
