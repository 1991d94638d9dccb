import { expect, it } from "vitest";

import { hasWords } from "./words";

it("finds words in any order and case, each of them", () => {
  expect([hasWords("MobileNetV1, 50%", " 50 mobile "), hasWords("MobileNetV1, 50%", "mobile 25")]).toEqual([
    true,
    false,
  ]);
});

it("finds everything for those who ask for nothing", () => {
  expect([hasWords("any", ""), hasWords("any", "  ")]).toEqual([true, true]);
});
