import { expect, it } from "vitest";

import { distinctions, distinctNames, kindName, namesOf, sharedNames } from "./names";

it("reads a list only until all names are known", async () => {
  const pages = [
    {
      items: [
        { id: "c", name: "C" },
        { id: "b", name: "B" },
      ],
      next_cursor: "1",
    },
    { items: [{ id: "a", name: "A" }], next_cursor: "2" },
    { items: [{ id: "0", name: "0" }], next_cursor: null },
  ];
  const asked: (string | undefined)[] = [];
  const list = (cursor?: string) => {
    asked.push(cursor);
    return Promise.resolve(pages[Number(cursor ?? 0)]!);
  };
  expect([...(await namesOf(["a", "b"], list))]).toEqual([
    ["b", "B"],
    ["a", "A"],
  ]);
  expect(asked).toEqual([undefined, "1"]);
  expect((await namesOf(["gone"], list)).size).toBe(0);
  expect((await namesOf([], list)).size).toBe(0);
});

it("calls archives by what they are", () => {
  expect(["idx", "npz", "tar_gz"].map(kindName)).toEqual(["IDX", "NPZ", "tar.gz archive"]);
  expect(["parquet", "webdataset", "folder"].map(kindName)).toEqual(["Parquet", "WebDataset", "folder"]);
});

const thing = (id: string, name: string, kind = "ONNX", created_at = "2026-11-25T12:00:00Z") => ({
  id: `00000000-0000-7000-8000-0000${id}`,
  name,
  kind,
  created_at,
});

it("tells things of one name apart by kind and time, and where that does not do, by id", () => {
  const things = [thing("00000001", "x", "TorchScript"), thing("00000002", "x"), thing("00000003", "y")];
  const names = [...distinctNames(things, ({ kind }) => kind).values()];
  expect(names[0]).toMatch(/^x \(TorchScript, .+\)$/);
  expect(names[1]).toMatch(/^x \(ONNX, .+\)$/);
  expect(names[2]).toBe("y");
  const twins = [thing("00000001", "x"), thing("00000002", "x")];
  const apart = [...distinctNames(twins, ({ kind }) => kind).values()];
  expect(apart.map((name) => name.slice(-9, -1))).toEqual(["00000001", "00000002"]);
  expect([...distinctions(things, ({ kind }) => kind).keys()].map((id) => id.slice(-1))).toEqual(["1", "2"]);
  expect(sharedNames(things).size).toBe(2);
});
