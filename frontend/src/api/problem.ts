// Errors of the REST API: RFC 9457 problem details, and the cases in which no such answer arrives.

import type { Problem } from "./types";

/** A request that did not succeed, with what the server said about it. */
export class ApiError extends Error {
  override readonly name = "ApiError";

  constructor(readonly problem: Problem) {
    super(`${problem.title}: ${problem.detail}`);
  }

  /** Whether the thing that was asked for does not exist. */
  get isNotFound(): boolean {
    return this.problem.status === 404;
  }
}

/** The problem for a request that got no answer at all. */
export const UNREACHABLE: Problem = {
  type: "about:blank",
  title: "No answer from the server",
  status: 0,
  detail: "The connection could not be made, or it broke. Check that the server is running, then try again.",
};

/**
 * Reads an error answer's body. A body that is no problem, such as a proxy's page, becomes one that says the status.
 */
export function parseProblem(body: unknown, status: number): Problem {
  if (isProblem(body)) return body;
  return {
    type: "about:blank",
    title: `The server answered ${status}`,
    status,
    detail: "The answer does not say why. Something between this page and EagleEye may have sent it.",
  };
}

/** The problem behind anything that was thrown. */
export function problemOf(error: unknown): Problem {
  if (error instanceof ApiError) return error.problem;
  const detail = error instanceof Error ? error.message : String(error);
  return { type: "about:blank", title: "The page failed", status: 0, detail };
}

function isProblem(body: unknown): body is Problem {
  if (typeof body !== "object" || body === null) return false;
  const { title, detail, status } = body as Record<string, unknown>;
  return typeof title === "string" && typeof detail === "string" && typeof status === "number";
}

/** Problems whose type says which field of a search request is at fault. */
const FIELD_OF_TYPE: Record<string, string> = {
  "/problems/budget-out-of-reach": "macs",
  "/problems/not-enough-images": "scoring_images",
  "/problems/unknown-model": "model_id",
  "/problems/unknown-dataset": "dataset_id",
  "/problems/dataset-does-not-fit": "dataset_id",
};

/** What a problem says about each field, by the field's path. */
export function fieldErrors(problem: Problem | undefined): Record<string, string> {
  const found: Record<string, string> = {};
  if (!problem) return found;
  const field = FIELD_OF_TYPE[problem.type];
  if (field) found[field] = problem.detail;
  for (const { field, detail } of problem.errors ?? []) {
    found[field] = found[field] ? `${found[field]}; ${detail}` : detail;
  }
  return found;
}
