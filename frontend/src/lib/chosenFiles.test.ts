import { expect, it } from "vitest";

import { namesOfFiles, offersOf, together, type Known } from "./chosenFiles";
import type { FileKind } from "./fileKinds";

const known = (kind: FileKind, name: string = kind): Known => ({ kind, file: new File([], name) });

it("makes one upload of the files that belong together", () => {
  const pair = together([known("weights"), known("network")], "models");
  expect(pair).toMatchObject({ collection: "models", file: { name: "network" }, data: { name: "weights" } });
  const idx = together([known("labels"), known("images")], "datasets");
  expect(idx).toMatchObject({ collection: "datasets", images: { name: "images" }, labels: { name: "labels" } });
  expect(typeof idx === "string" ? "" : namesOfFiles(idx)).toBe("labels and images");
});

it("knows where files belong that were dropped on the wrong page", () => {
  expect(together([known("network")], "datasets")).toMatchObject({ collection: "models" });
  expect(together([known("npz")], "models")).toMatchObject({ collection: "datasets" });
});

it("leaves what may be either to the page, and the rest to the server", () => {
  for (const page of ["models", "datasets"] as const) {
    expect(together([known("zip")], page)).toMatchObject({ collection: page });
    expect(together([known("unknown")], page)).toMatchObject({ collection: page });
  }
});

it("says why files make no upload", () => {
  expect(together([], "models")).toContain("zip or tar archive");
  expect(together([known("network"), known("images")], "models")).toContain("a model and a dataset");
  expect(together([known("network", "a.pt"), known("network", "b.pt")], "models")).toContain("one at a time");
  expect(together([known("images"), known("archive")], "datasets")).toContain("one at a time");
});

it("offers what is dropped on no page of its own to each that would take it", () => {
  const collections = (files: Known[], page?: "models" | "datasets"): string | string[] => {
    const offers = offersOf(files, page);
    return typeof offers === "string" ? offers : offers.map(({ collection }) => collection);
  };
  expect(collections([known("network")])).toEqual(["models"]);
  expect(collections([known("images"), known("labels")])).toEqual(["datasets"]);
  expect(collections([known("unknown")])).toEqual(["models", "datasets"]);
  expect(collections([known("unknown")], "datasets")).toEqual(["datasets"]);
  expect(collections([known("network")], "datasets")).toEqual(["models"]);
  expect(collections([known("network"), known("images")])).toContain("a model and a dataset");
  expect(collections([])).toContain("zip or tar archive");
});
