import { describe, expect, it } from "vitest";

import { sortedBy } from "./sorting";

describe("rows in order", () => {
  const rows = [
    { name: "b", at: 2 },
    { name: "a", at: 10 },
    { name: "c", at: null },
    { name: "a", at: -1 },
  ];
  const names = (direction: "ascending" | "descending") => sortedBy(rows, ({ at }) => at, direction);

  it("have numbers as numbers, and what has none last either way", () => {
    expect(names("ascending").map(({ at }) => at)).toEqual([-1, 2, 10, null]);
    expect(names("descending").map(({ at }) => at)).toEqual([10, 2, -1, null]);
  });

  it("have equal ones as they were, either way", () => {
    const byName = (direction: "ascending" | "descending") => sortedBy(rows, ({ name }) => name, direction);
    expect(byName("ascending").map(({ at }) => at)).toEqual([10, -1, 2, null]);
    expect(byName("descending").map(({ at }) => at)).toEqual([null, 2, 10, -1]);
  });
});
