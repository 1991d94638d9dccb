import { expect, it } from "vitest";

import { parseShape } from "./inputShape";

it("reads shapes however they are separated, and nothing else", () => {
  for (const text of ["1,3,224,224", "1, 3, 224, 224", " 1 3 224  224 ", "1 × 3 × 224 × 224", "1x3x224x224"]) {
    expect(parseShape(text)).toEqual([1, 3, 224, 224]);
  }
  for (const text of [
    "",
    "1,,y",
    "1,,28",
    "1,28,",
    ",1,28",
    "1,28 x",
    "1,0,28,28",
    "1,-1,28,28",
    "1,1.5,28,28",
    "1,1,1,1,1,1,1,1,1",
  ]) {
    expect(parseShape(text)).toBeUndefined();
  }
});
