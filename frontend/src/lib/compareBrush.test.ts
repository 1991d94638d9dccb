import { describe, expect, it } from "vitest";

import { ACCURACY, brushCodec, COST, groupAxes, within, withBrush } from "./compareBrush";
import { NETWORK, origin, row } from "./compareFixtures";

describe("within", () => {
  const rows = [
    row("a"),
    row("b", { top1: 0.9, kept: Uint32Array.from([16, 64]) }),
    row("c", { origin: origin({ network: { ...NETWORK, id: "o", groups: [] } }), kept: new Uint32Array() }),
  ];
  const ids = (...brushes: Parameters<typeof within>[1][number][]): string =>
    within(rows, brushes)
      .map(({ id }) => id)
      .join("");

  it("leaves all without bounds, the very same list", () => {
    expect(within(rows, [])).toBe(rows);
  });

  it("keeps what lies within every bound, the ends among it", () => {
    expect(ids({ axis: "top1", from: 0.8, to: 0.85 })).toBe("ac");
    expect(ids({ axis: "top1", from: 0.9, to: 1 }, { axis: "macs", from: 0, to: 0.5 })).toBe("b");
  });

  it("leaves out what has no such group", () => {
    expect(ids({ axis: "group:conv1", from: 0, to: 1 })).toBe("ab");
    expect(ids({ axis: "group:conv1", from: 0.4, to: 0.6 })).toBe("a");
    expect(ids({ axis: "nothing", from: 0, to: 1 })).toBe("");
  });

  it("keeps the end of a brush that the address has rounded", () => {
    const third = [row("t", { top1: 1 / 3 })];
    const [read] = brushCodec.read(brushCodec.write([{ axis: "top1", from: 1 / 3, to: 1 / 3 }])) ?? [];
    expect(read && within(third, [read])).toHaveLength(1);
  });
});

it("writes brushes in the address, whatever the groups are called", () => {
  const brushes = [
    { axis: "group:a;b~c%d", from: 0.25, to: 0.5 },
    { axis: "top1", from: 0, to: 1 },
  ];
  expect(brushCodec.read(brushCodec.write(brushes))).toEqual(brushes);
  expect(["", "top1", "top1~1~0", "top1~a~b", "%~0~1"].map((text) => brushCodec.read(text))).toEqual(Array(5).fill([]));
});

it("has one brush per axis", () => {
  const one = withBrush([], "top1", { from: 0, to: 1 });
  expect(withBrush(one, "top1", { from: 0.5, to: 1 })).toEqual([{ axis: "top1", from: 0.5, to: 1 }]);
  expect(withBrush(one, "top1", undefined)).toEqual([]);
});

it("has an axis per group, and none for candidates of other models", () => {
  const [first] = groupAxes(NETWORK);
  expect([first?.key, first?.value(row("a"))]).toEqual(["group:conv1", 0.5]);
  expect(first?.value(row("a", { origin: origin({ network: { ...NETWORK, id: "o" } }) }))).toBeUndefined();
  expect([ACCURACY.value(row("a")), COST.value(row("a", { macsShare: null }))]).toEqual([0.8, undefined]);
});
