// Errors of the REST API: RFC 9457 problem details, and the cases in which no such answer arrives.

import { inWords } from "../lib/fieldLabels";
import { percent } from "../lib/format";
import type { Problem, Reachable } from "./types";

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
  title: "No response from the server",
  status: 0,
  detail: "Could not connect, or the connection was lost. Check that the server is running, then try again.",
};

/** A body as JSON; undefined where it is none. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * Reads an error answer's body. A body that is no problem, such as a proxy's page, becomes one that says the status.
 */
export function parseProblem(body: unknown, status: number): Problem {
  if (isProblem(body)) return body;
  return {
    type: "about:blank",
    title: `The server responded with status ${status}`,
    status,
    detail: "The response gives no reason. It may come from a proxy between this page and EagleEye.",
  };
}

/** The problem behind anything that was thrown. */
export function problemOf(error: unknown): Problem {
  if (error instanceof ApiError) return error.problem;
  const detail = error instanceof Error ? error.message : String(error);
  return { type: "about:blank", title: "Something went wrong on this page", status: 0, detail };
}

function isProblem(body: unknown): body is Problem {
  if (typeof body !== "object" || body === null) return false;
  const { title, detail, status } = body as Record<string, unknown>;
  return typeof title === "string" && typeof detail === "string" && typeof status === "number";
}

/** What a problem says about each field, by the field's path, in the page's words. */
export function fieldErrors(problem: Problem | undefined): Record<string, string> {
  const said: Record<string, string> = {};
  for (const { field, detail } of problem?.errors ?? []) {
    said[field] = said[field] ? `${said[field]}; ${detail}` : detail;
  }
  const inPage = ([field, detail]: [string, string]): [string, string] => [
    field,
    field === "macs" && problem?.reachable ? outOfReach(problem.reachable, detail) : inWords(detail),
  ];
  return Object.fromEntries(Object.entries(said).map(inPage));
}

/** The budget's range in percent, as the form has it. */
function outOfReach({ min, max }: Reachable, detail: string): string {
  if (min >= max) return inWords(detail);
  return `With these settings the model can be pruned to between ${percent(min)} and ${percent(max)} of its MACs.`;
}
