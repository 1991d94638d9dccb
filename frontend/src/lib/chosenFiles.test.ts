import { expect, it } from "vitest";

import { handOver, namesOfFiles, takeOver, together, type Known } from "./chosenFiles";
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

it("hands files over to the page where they make sense, once", () => {
  const chosen = { collection: "models", file: new File([], "net.onnx") } as const;
  handOver(chosen);
  expect(takeOver("models")).toBe(chosen);
  expect(takeOver("models")).toBeUndefined();
  handOver(chosen);
  expect(takeOver("datasets")).toBeUndefined();
});
