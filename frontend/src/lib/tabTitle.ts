// What the browser's tab says of a search, so that one need not look at the page.

import type { Search } from "../api/types";
import { count } from "./format";
import { isFinal } from "./jobs";

/** `(12/48) MobileNetV1 at 50% of MACs`; a search that ended while it was watched says how. */
export function tabTitle(
  { state, progress }: Pick<Search, "state" | "progress">,
  title: string,
  wasWatched: boolean,
): string {
  if (isFinal(state)) return wasWatched ? `(${state}) ${title}` : title;
  if (state === "queued" || state === "paused") return `(${state}) ${title}`;
  const { phase, done, total } = progress;
  if (total <= 0) return `(${phase.replaceAll("_", " ")}) ${title}`;
  const which = phase === "candidates" ? "" : `${phase.replaceAll("_", " ")} `;
  return `(${which}${count(done)}/${count(total)}) ${title}`;
}
