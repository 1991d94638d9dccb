import { describe, expect, it } from "vitest";

import { ACCURACY, axisOf, brushCodec, COST, costAxis, groupAxes, within, withBrush } from "./compareBrush";
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

  it("limits what candidates cost themselves, and times of one kind only", () => {
    const time = (kind: string) => ({ milliseconds: 2, full: 4, kind });
    const rows = [row("a", { time: time("cpu 1") }), row("b", { time: time("cpu 2"), macs: 700 }), row("c")];
    const kept = (axis: string, from: number, to: number): string =>
      within(rows, [{ axis, from, to }])
        .map(({ id }) => id)
        .join("");
    expect(kept(costAxis("macs", undefined).key, 500, 600)).toBe("ac");
    expect(kept(costAxis("bytes", undefined).key, 0, 100)).toBe("");
    expect(kept(costAxis("latency", "cpu 1").key, 0, 9)).toBe("a");
    expect(kept("cost:nothing", 0, 1e9)).toBe("");
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
  expect(brushCodec.write([{ axis: "cost:macs", from: 7830000.25, to: 8e6 }])).toBe("cost:macs~7830000~8000000");
  expect(["", "top1", "top1~1~0", "top1~a~b", "%~0~1"].map((text) => brushCodec.read(text))).toEqual(Array(5).fill([]));
});

it("says what a brush is on, and its bounds in the unit of the axis", () => {
  const text = (key: string, value: number): string => {
    const { name, unit } = axisOf(key, [ACCURACY, COST]);
    return `${name} ${unit.text(value)}`.replaceAll("\u00a0", " ");
  };
  expect(text("macs", 0.4)).toBe("MACs 40.0%");
  expect(text("cost:macs", 7.83e6)).toBe("MACs per image 7.83 M");
  expect(text("cost:latency:cpu 1", 2.5)).toBe("Latency 2.5 ms");
  expect(text("group:conv1", 0.5)).toBe("conv1 50.0%");
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
