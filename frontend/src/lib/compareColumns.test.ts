import { describe, expect, it } from "vitest";

import {
  BY_ACCURACY,
  COLUMNS,
  deltaText,
  differingColumns,
  sortCodec,
  sorted,
  sortedBy,
  tableLines,
  tone,
} from "./compareColumns";
import { NETWORK, origin, row } from "./compareFixtures";

const ids = (rows: { id: string }[]): string => rows.map(({ id }) => id).join("");

it("leaves out columns in which all are the same, but for those that say who and how good", () => {
  const keys = differingColumns([row("a"), row("b", { index: 1, seconds: 3 })]).map(({ key }) => key);
  expect(keys).toEqual(["index", "top1", "macs", "seconds"]);
  expect(differingColumns([]).map(({ key }) => key)).toEqual(["index", "top1", "macs"]);
});

describe("sorted", () => {
  it("leaves ties as they are and puts what is missing last either way", () => {
    const rows = [row("a"), row("b", { test: 0.5 }), row("c", { test: 0.7 }), row("d", { test: 0.5 })];
    expect(ids(sorted(rows, { key: "test", direction: "ascending" }))).toBe("bdca");
    expect(ids(sorted(rows, { key: "test", direction: "descending" }))).toBe("cbda");
  });

  it("orders by what is kept of a group, and other models last", () => {
    const other = origin({ network: { ...NETWORK, id: "o", groups: [] } });
    const rows = [row("o", { origin: other }), row("a"), row("b", { kept: Uint32Array.from([4, 64]) })];
    expect(ids(sorted(rows, { key: "group:conv1", direction: "ascending" }))).toBe("bao");
    expect(ids(sorted(rows, { key: "group:conv2", direction: "ascending" }))).toBe("abo");
    expect(ids(sorted(rows, { key: "nothing", direction: "ascending" }))).toBe("oab");
  });

  it("turns round by a second press", () => {
    const first = sortedBy(BY_ACCURACY, "macs", "ascending");
    expect(first).toEqual({ key: "macs", direction: "ascending" });
    expect(sortedBy(first, "macs", "ascending").direction).toBe("descending");
  });

  it("is written in the address", () => {
    const sort = { key: "group:a~b", direction: "descending" } as const;
    expect(sortCodec.read(sortCodec.write(sort))).toEqual(sort);
    expect([sortCodec.read("top1"), sortCodec.read("~ascending"), sortCodec.read("top1~up")]).toEqual(
      Array(3).fill(undefined),
    );
  });
});

it("says differences with their sign and whether they are for the better", () => {
  expect([deltaText("top1", -0.0123), deltaText("macs", -0.5), deltaText("macs", null)]).toEqual([
    "−1.23",
    "−50.0%",
    "",
  ]);
  expect([
    tone("top1", 0.1, true),
    tone("macs", 0.1, false),
    tone("macs", 4e-4, true),
    tone("top1", null, true),
  ]).toEqual(["good", "bad", "", ""]);
});

it("writes differences as columns of their own", () => {
  const columns = COLUMNS.filter(({ key }) => key === "index" || key === "macs");
  const { header, lines } = tableLines([row("a", { macs: 250 })], columns, row("b"));
  expect(header).toEqual(["id", "index", "macs", "macs_difference"]);
  expect(lines).toEqual([["a", 0, 250, -0.5]]);
});
