import { expect, it } from "vitest";

import { csv } from "./csv";

it("quotes what would end a cell, and leaves empty what is missing", () => {
  expect(
    csv(
      ["name", "top-1"],
      [
        ['a "b", c', 0.123456789],
        [null, -1],
        [undefined, true],
      ],
    ),
  ).toBe('name,top-1\r\n"a ""b"", c",0.123456789\r\n,-1\r\n,true\r\n');
});

it("hands no formula to a spreadsheet", () => {
  expect(csv(["name"], [["=1+1"], ["@a"], ["-x"]])).toBe("name\r\n'=1+1\r\n'@a\r\n'-x\r\n");
});
