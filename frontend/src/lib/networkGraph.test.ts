import { describe, expect, it } from "vitest";

import { layOut } from "./graphLayout";
import {
  found,
  groupHues,
  Links,
  linesIn,
  neighbour,
  NODE,
  nodesIn,
  pathOf,
  shortened,
  type GraphLayout,
  type NetworkNode,
} from "./networkGraph";
import { dense, residual } from "./testNetworks";

/** Pairs of nodes that are drawn over each other. */
const overlaps = ({ places }: GraphLayout): number =>
  places.flatMap((a, place) =>
    places
      .slice(place + 1)
      .filter((b) => Math.abs(a.x - b.x) < NODE.width - 0.5 && Math.abs(a.y - b.y) < NODE.height - 0.5),
  ).length;

function expectDrawn(nodes: NetworkNode[]): GraphLayout {
  const laid = layOut(nodes);
  const links = new Links(nodes);
  expect(overlaps(laid)).toBe(0);
  expect(laid.lines.length).toBe(links.inputs.flat().length);
  for (const [index, inputs] of links.inputs.entries()) {
    for (const input of inputs) expect(laid.places[index]!.y).toBeGreaterThan(laid.places[input]!.y);
  }
  for (const { from, to, points } of laid.lines) {
    const [start, end] = [points[0]!, points.at(-1)!];
    expect(start.y).toBeCloseTo(laid.places[from]!.y + NODE.height / 2);
    expect(end.x).toBeCloseTo(laid.places[to]!.x);
  }
  for (const { x, y } of laid.places) {
    expect(x).toBeGreaterThanOrEqual(NODE.width / 2);
    expect(x).toBeLessThanOrEqual(laid.width - NODE.width / 2);
    expect(y).toBeLessThanOrEqual(laid.height - NODE.height / 2);
  }
  return laid;
}

const plain = (name: string, ...inputs: string[]): NetworkNode => ({
  ...{ name, operator: "relu", inputs, groups: [], shape: [1, 4], macs: 0, parameters: 0 },
});

describe("layOut", () => {
  it("draws 400 nodes of a residual network without drawing one over another, in a moment", () => {
    const nodes = residual(400);
    const start = performance.now();
    const laid = layOut(nodes);
    expect(performance.now() - start).toBeLessThan(2_000);
    expect(laid.places.length).toBe(400);
    expectDrawn(nodes);
    const stems = new Set(nodes.flatMap(({ name }, index) => (name.endsWith(".add") ? [laid.places[index]!.x] : [])));
    expect(stems.size, "sums stand below each other").toBe(1);
  });

  it("draws a dense block, in which every layer reads all before it", () => {
    expectDrawn(dense(30));
  });

  it("draws chains, branches, two inputs, two outputs and networks of one node or none", () => {
    expectDrawn([plain("a", "input"), plain("b", "a"), plain("c", "b")]);
    expectDrawn([plain("a"), plain("b", "a"), plain("c", "a"), plain("d", "b", "c"), plain("e", "d")]);
    expectDrawn([plain("a"), plain("b", "a"), plain("second"), plain("c", "b", "second"), plain("d", "c")]);
    expectDrawn([plain("a"), plain("b", "a"), plain("head", "b"), plain("other", "b")]);
    expectDrawn([plain("a"), plain("twice", "a", "a")]);
    expect(expectDrawn([plain("a")]).width).toBeGreaterThan(NODE.width);
    expect(layOut([])).toEqual({ places: [], lines: [], width: 0, height: 0 });
  });
});

describe("the graph", () => {
  const nodes = [plain("a"), plain("left", "a"), plain("right", "a"), plain("sum", "left", "right")];
  const { places, lines, width, height } = layOut(nodes);
  const links = new Links(nodes);

  it("is walked by arrow keys, along its edges and to what stands beside", () => {
    const [left, right] = places[1]!.x < places[2]!.x ? [1, 2] : [2, 1];
    expect(neighbour(left, "right", links, places)).toBe(right);
    expect(neighbour(right, "left", links, places)).toBe(left);
    expect(neighbour(left, "left", links, places)).toBeUndefined();
    expect(neighbour(left, "down", links, places)).toBe(3);
    expect(neighbour(right, "up", links, places)).toBe(0);
    expect([left, right]).toContain(neighbour(0, "down", links, places));
    expect(neighbour(3, "down", links, places)).toBeUndefined();
    const block = residual(9);
    const walk = neighbour(0, "down", new Links(block), layOut(block).places);
    expect(block[walk ?? 0]?.name, "into the block, and not past it").toBe("blocks.0.0");
  });

  it("knows what can be seen", () => {
    expect(nodesIn({ left: 0, top: 0, width, height }, places)).toEqual([0, 1, 2, 3]);
    expect(nodesIn({ left: 0, top: 0, width, height: 20 }, places)).toEqual([0]);
    expect(linesIn({ left: 0, top: 0, width, height: 60 }, lines).length).toBe(2);
  });

  it("is searched by name and operator", () => {
    expect(found("IGH", nodes)).toEqual([2]);
    expect(found("relu", nodes)).toEqual([0, 1, 2, 3]);
    expect(found("  ", nodes)).toEqual([]);
  });

  it("gives each group that can be pruned a colour far from its neighbours'", () => {
    const groups = ["a", "b", "c"].map((name) => ({ name, prunable: name !== "b" }));
    const hues = groupHues(groups);
    expect([...hues.keys()]).toEqual(["a", "c"]);
    expect(Math.abs(hues.get("a")! - hues.get("c")!)).toBeGreaterThan(60);
  });

  it("has lines that leave downwards, and names by their ends", () => {
    const points = [
      { x: 10, y: 0 },
      { x: 10, y: 20 },
      { x: 30, y: 40 },
    ];
    expect(pathOf({ from: 0, to: 1, points })).toBe("M10,0V20C10,30 30,30 30,40");
    expect(shortened("features.10.conv", 8)).toBe("…10.conv");
    expect(shortened("conv", 8)).toBe("conv");
  });
});
