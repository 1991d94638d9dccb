import { expect, it } from "vitest";

import { shortTitles } from "./shortTitles";

it("leaves out what all titles have in common", () => {
  expect(shortTitles(["MobileNetV1 at 50% of MACs", "MobileNetV1 at 25% of MACs"], 12)).toEqual(["50%", "25%"]);
  expect(shortTitles(["Net", "Net again"], 12)).toEqual(["Net", "again"]);
  expect(shortTitles(["First search", "Another one"], 12)).toEqual(["First search", "Another one"]);
  expect(shortTitles(["one two one", "one one"], 12)).toEqual(["two", "one one"]);
});

it("numbers titles that read alike, within the room that there is", () => {
  expect(shortTitles(["Net", "Other", "Net"], 12)).toEqual(["Net 1", "Other", "Net 3"]);
  const long = shortTitles(["a long beginning, the end", "a long beginning, or the end", "b"], 8);
  expect(new Set(long).size).toBe(3);
  expect(Math.max(...long.map(({ length }) => length))).toBeLessThanOrEqual(8);
  expect([shortTitles(["One alone"], 12), shortTitles([], 12)]).toEqual([["One alone"], []]);
});
