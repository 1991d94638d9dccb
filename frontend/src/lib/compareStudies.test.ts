import { describe, expect, it } from "vitest";

import { ApiError, UNREACHABLE } from "../api/problem";
import type { Study } from "../api/types";
import { studiesOf, tellingOf } from "./compareStudies";

const study = (id: string, search_id: string, state = "succeeded"): Study =>
  ({ id, search_id, members: [{ state }] }) as unknown as Study;

const refusal = (status: number): ApiError => new ApiError({ ...UNREACHABLE, status });

describe("studies of the compared searches", () => {
  it("are those that can be had, beside what stood in the way of others", async () => {
    const answers: Record<string, () => Promise<Study[]>> = {
      a: async () => [study("1", "a")],
      busy: () => Promise.reject(refusal(503)),
      gone: () => Promise.reject(refusal(404)),
      b: async () => [study("2", "b"), study("3", "b")],
    };
    const found = await studiesOf(Object.keys(answers), (id) => answers[id]!());
    expect(found.studies.map(({ id }) => id)).toEqual(["1", "2", "3"]);
    expect(found.problems.map(({ status }) => status)).toEqual([503]);
  });

  it("have something to say once a fine-tuning has ended, for as long as their search is compared", () => {
    const all = [study("1", "a"), study("2", "a", "running"), study("3", "b")];
    expect(tellingOf(all, ["a"]).map(({ id }) => id)).toEqual(["1"]);
  });
});
