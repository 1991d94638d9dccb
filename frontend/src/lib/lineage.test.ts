import { describe, expect, it } from "vitest";

import { ApiError } from "../api/problem";
import type { Candidate, Checkpoint, Lineage, ModelSummary, Search, Tuning } from "../api/types";
import { ancestors, descendants, type Source } from "./lineage";

const lineage = (change: Partial<Lineage> = {}): Lineage => ({
  model_id: "m1",
  search_id: "s1",
  candidate_id: "c1",
  tuning_id: null,
  checkpoint_id: "f1",
  first: { model_id: "m1", macs: 2_000_000, parameters: 100 },
  ...change,
});

const model = (id: string, of: Lineage | null = null): ModelSummary =>
  ({ id, name: `Model ${id}`, macs: 1_000_000, lineage: of }) as ModelSummary;

const file = (id: string, change: Partial<Checkpoint> = {}): Checkpoint =>
  ({
    id,
    candidate_id: "c1",
    tuning_id: null,
    weights: "adapted",
    format: "onnx",
    opset: 17,
    state: "ready",
    bytes: 1000,
    ...change,
  }) as Checkpoint;

const gone = (): Promise<never> =>
  Promise.reject(new ApiError({ type: "about:blank", title: "Not found", status: 404, detail: "" }));

/** A server with what is named, and nothing else. */
const server = (models: ModelSummary[], isFileThere = true): Source => ({
  model: (id) => {
    const found = models.find((known) => known.id === id);
    return found ? Promise.resolve(found) : gone();
  },
  search: (id) => Promise.resolve({ name: `Search ${id}`, budgets: [] } as unknown as Search),
  candidate: () => Promise.resolve({ index: 7 } as Candidate),
  checkpoint: (id) => (isFileThere ? Promise.resolve(file(id)) : gone()),
});

const inWords = async (of: ModelSummary, source: Source): Promise<string[]> =>
  (await ancestors(of, source)).map(({ kind, name }) => `${kind}: ${name}`);

describe("ancestors", () => {
  it("has none for an upload", async () => {
    expect(await ancestors(model("m1"), server([]))).toEqual([]);
  });

  it("goes back to the upload, the first first", async () => {
    const second = model("m2", lineage({ tuning_id: "t1" }));
    const third = model("m3", lineage({ model_id: "m2", search_id: "s2" }));
    expect(await inWords(third, server([model("m1"), second]))).toEqual([
      "Model: Model m1",
      "Search: Search s1",
      "Candidate: Candidate 7",
      "Fine-tuning: Fine-tuning of candidate 7",
      "File: ONNX, opset 17",
      "Model: Model m2",
      "Search: Search s2",
      "Candidate: Candidate 7",
      "File: ONNX, opset 17",
    ]);
  });

  it("names what was deleted, and goes on to the upload", async () => {
    const third = model("m3", lineage({ model_id: "m2" }));
    expect(await inWords(third, server([model("m1")], false))).toEqual([
      "Model: Model m1",
      "Model: deleted since",
      "Search: Search s1",
      "Candidate: Candidate 7",
      "File: deleted since",
    ]);
  });

  it("hides no other trouble", async () => {
    const down = { ...server([]), search: () => Promise.reject(new Error("down")) };
    await expect(ancestors(model("m2", lineage()), down)).rejects.toThrow("down");
  });
});

describe("descendants", () => {
  const tuning = { id: "t1", state: "running", result: null, request: { epochs: 2 } } as Tuning;

  it("has files, fine-tunings with theirs, and the models of each", () => {
    const branches = descendants(
      { id: "c1" },
      [tuning],
      [
        file("f1"),
        file("f2", { weights: "repaired", format: "safetensors", opset: null }),
        file("f3", { tuning_id: "t1", format: "torchscript", opset: null }),
        file("f4", { state: "queued" }),
      ],
      [
        model("m2", lineage()),
        model("m3", lineage({ tuning_id: "t1", checkpoint_id: "f3" })),
        model("m4", lineage({ candidate_id: "another" })),
      ],
    );
    expect(branches.map(({ name, children }) => [name, children.map((child) => child.name)])).toEqual([
      ["ONNX, opset 17", ["Model m2"]],
      ["safetensors, repaired", []],
      ["2 epochs", ["TorchScript"]],
    ]);
    expect(branches[2]?.children[0]?.children[0]).toMatchObject({ name: "Model m3", address: "/models/m3" });
    expect(branches[2]?.note).toBe("running");
  });

  it("keeps a model whose file is gone", () => {
    const [only] = descendants({ id: "c1" }, [], [], [model("m2", lineage())]);
    expect(only).toMatchObject({ kind: "Model", name: "Model m2" });
  });
});
