// The studies of several searches, of which some may not be had.

import { ApiError, problemOf } from "../api/problem";
import type { Problem, Study } from "../api/types";
import { progressOf } from "./studies";

export interface FoundStudies {
  studies: Study[];
  /** Why those of some searches are not among them. */
  problems: Problem[];
}

/** Studies of searches in their order. A search that is not there has none: whoever shows the searches says that it is missing. */
export async function studiesOf(
  searches: readonly string[],
  list: (search: string) => Promise<Study[]>,
): Promise<FoundStudies> {
  const answers = await Promise.allSettled(searches.map(list));
  return {
    studies: answers.flatMap((answer) => (answer.status === "fulfilled" ? answer.value : [])),
    problems: answers.flatMap((answer) =>
      answer.status === "fulfilled" || isMissing(answer.reason) ? [] : [problemOf(answer.reason)],
    ),
  };
}

const isMissing = (error: unknown): boolean => error instanceof ApiError && error.isNotFound;

/** Those of searches that are compared now which have something to say. */
export const tellingOf = (studies: readonly Study[], searches: readonly string[]): Study[] =>
  studies.filter((study) => searches.includes(study.search_id) && progressOf(study).done > 0);
