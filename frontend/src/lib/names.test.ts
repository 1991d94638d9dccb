import { expect, it } from "vitest";

import { kindName, namesOf } from "./names";

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
});
