import { describe, expect, it } from "vitest";

import { ApiError, fieldErrors, parseProblem, problemOf, UNREACHABLE } from "./problem";
import type { Problem } from "./types";

const problem = (more: Partial<Problem>): Problem => ({
  type: "/problems/invalid-field",
  title: "Invalid field",
  status: 422,
  detail: "macs must be above 0",
  ...more,
});

describe("parseProblem", () => {
  it("takes problem details as they are", () => {
    const body = problem({ reachable: { min: 0.1, max: 1 } });
    expect(parseProblem(body, 422)).toBe(body);
  });

  it("makes a problem of an answer that is none", () => {
    for (const body of [undefined, null, "", "<html>Bad gateway</html>", { title: "Bad" }, []]) {
      const { status, title } = parseProblem(body, 502);
      expect([status, title]).toEqual([502, "The server responded with status 502"]);
    }
  });
});

describe("fieldErrors", () => {
  it("lists the fields that the server names, and joins what it says twice about one", () => {
    const errors = [
      { field: "macs", detail: "too large" },
      { field: "adaptation.momentum", detail: "not used" },
      { field: "macs", detail: "not finite" },
    ];
    expect(fieldErrors(problem({ errors }))).toEqual({
      macs: "Too large; not finite",
      "adaptation.momentum": "Not used",
    });
  });

  it("says what is reachable in percent, as the form has it, unless nothing is", () => {
    const errors = [{ field: "macs", detail: "with round_to 8 nothing can be pruned" }];
    const found = (reachable: { min: number; max: number }) => fieldErrors(problem({ errors, reachable }))["macs"];
    expect(found({ min: 0.1, max: 1 })).toContain("between 10.0% and 100.0%");
    expect(found({ min: 1, max: 1 })).toBe("With “Round to multiples of” 8 nothing can be pruned");
  });

  it("is empty without a problem", () => {
    expect(fieldErrors(undefined)).toEqual({});
  });
});

describe("problemOf", () => {
  it("keeps the server's problem and wraps everything else", () => {
    expect(problemOf(new ApiError(UNREACHABLE))).toBe(UNREACHABLE);
    expect(problemOf(new Error("x is undefined")).detail).toBe("x is undefined");
  });
});
