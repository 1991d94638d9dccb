import { describe, expect, it } from "vitest";

import { isOurs, match } from "./router";

const at = (address: string) => match(new URL(address, "http://localhost:8080"));

describe("match", () => {
  it("knows every page", () => {
    expect(at("/")).toEqual({ page: "home" });
    expect(at("/models")).toEqual({ page: "models" });
    expect(at("/models/")).toEqual({ page: "models" });
    expect(at("/models/7a")).toEqual({ page: "model", id: "7a" });
    expect(at("/datasets/7b")).toEqual({ page: "dataset", id: "7b" });
    expect(at("/searches/7c?x=1#top")).toEqual({ page: "search", id: "7c" });
  });

  it("has one page to compare on, which has no details", () => {
    expect(at("/compare?searches=a,b")).toEqual({ page: "compare" });
    expect(at("/compare/a")).toEqual({ page: "not-found" });
  });

  it("takes what a new search starts with from the query", () => {
    expect(at("/searches/new")).toEqual({ page: "new-search", modelId: null, datasetId: null, fromId: null });
    expect(at("/searches/new?model=a&dataset=b")).toEqual({
      page: "new-search",
      modelId: "a",
      datasetId: "b",
      fromId: null,
    });
    expect(at("/searches/new?from=c")).toMatchObject({ page: "new-search", fromId: "c" });
  });

  it("has pages of candidates, but no list of all", () => {
    expect(at("/candidates/7d?card=e")).toEqual({ page: "candidate", id: "7d" });
    expect([at("/candidates"), at("/candidates/7d/x")]).toEqual([{ page: "not-found" }, { page: "not-found" }]);
  });

  it("has pages of studies, but no list of all", () => {
    expect(at("/studies/7d")).toEqual({ page: "study", id: "7d" });
    expect([at("/studies"), at("/studies/new/x")]).toEqual([{ page: "not-found" }, { page: "not-found" }]);
  });

  it("has pages of fine-tunings, but no list of all", () => {
    expect(at("/tunings/7d")).toEqual({ page: "tuning", id: "7d" });
    expect(at("/tunings/new?candidate=c")).toEqual({ page: "new-tuning", candidateId: "c" });
    expect(at("/tunings/new")).toEqual({ page: "new-tuning", candidateId: null });
    expect([at("/tunings"), at("/tunings/7d/x")]).toEqual([{ page: "not-found" }, { page: "not-found" }]);
  });

  it("has no page for anything else", () => {
    for (const address of ["/nothing", "/models/a/b", "/toString", "/new"]) {
      expect(at(address)).toEqual({ page: "not-found" });
    }
  });
});

it("leaves the server's own addresses to the browser", () => {
  expect(["/api/v1/models", "/docs/", "/docs", "/health"].map(isOurs)).toEqual([false, false, false, false]);
  expect(["/", "/models", "/documents"].map(isOurs)).toEqual([true, true, true]);
});
