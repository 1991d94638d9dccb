// A network as a graph: its nodes, what leads where, and what of it can be pruned.

import type { ChannelGroup, GraphNode } from "../api/types";

/** One operation of a network, or one of its inputs; every node comes after those that it reads. */
export type NetworkNode = GraphNode;

/** The group that a node is coloured by: one of those that its channels belong to, if there are any. */
export const mainGroup = ({ groups }: Pick<NetworkNode, "groups">): string | undefined => groups[0];

/** The output for one image. */
export const outputShape = ({ shape }: Pick<NetworkNode, "shape">): number[] => shape.slice(1);

/** Where nodes and edges are drawn, in pixels. */
export interface GraphLayout {
  /** Middles of the nodes, in their order. */
  places: Place[];
  lines: Line[];
  width: number;
  height: number;
}

export interface Place {
  x: number;
  y: number;
}

/** An edge between two nodes, by their indices. */
export interface Line {
  from: number;
  to: number;
  points: Place[];
}

/** A rectangle of the drawing. */
export interface View {
  left: number;
  top: number;
  width: number;
  height: number;
}

export const NODE = { width: 184, height: 42 };

/** What leads to each node and where it leads, by index. A name that no node has leads nowhere. */
export class Links {
  readonly inputs: number[][];
  readonly outputs: number[][];
  readonly #indices: Map<string, number>;

  constructor(nodes: readonly Pick<NetworkNode, "name" | "inputs">[]) {
    this.#indices = new Map(nodes.map(({ name }, index) => [name, index]));
    this.inputs = nodes.map(({ inputs }, index) => [
      // A node may read another twice, as x + x does; it never reads one that comes later.
      ...new Set(inputs.flatMap((name) => this.#indices.get(name) ?? []).filter((input) => input < index)),
    ]);
    this.outputs = nodes.map(() => []);
    for (const [index, inputs] of this.inputs.entries()) for (const input of inputs) this.outputs[input]?.push(index);
  }

  indexOf(name: string): number | undefined {
    return this.#indices.get(name);
  }
}

export type Direction = "up" | "down" | "left" | "right";

/** The node that an arrow key leads to: along an edge, or to one beside; undefined where there is none. */
export function neighbour(
  at: number,
  direction: Direction,
  links: Links,
  places: readonly Place[],
): number | undefined {
  const here = places[at];
  if (!here) return undefined;
  const away = (index: number, axis: "x" | "y"): number => Math.abs((places[index]?.[axis] ?? 0) - here[axis]);
  // The next row first: what goes around a block is reached through its end, or by the names beside the drawing.
  const nearest = (indices: readonly number[]): number | undefined =>
    indices.toSorted((a, b) => away(a, "y") - away(b, "y") || away(a, "x") - away(b, "x") || a - b)[0];
  if (direction === "down") return nearest(links.outputs[at] ?? []);
  if (direction === "up") return nearest(links.inputs[at] ?? []);
  const sign = direction === "left" ? -1 : 1;
  const beside = places.flatMap(({ x, y }, index) =>
    Math.abs(y - here.y) < NODE.height && sign * (x - here.x) > 0 ? [index] : [],
  );
  return nearest(beside);
}

/** Indices of the nodes that can be seen in a view. */
export const nodesIn = (view: View, places: readonly Place[]): number[] =>
  places.flatMap(({ x, y }, index) =>
    x + NODE.width / 2 >= view.left &&
    x - NODE.width / 2 <= view.left + view.width &&
    y + NODE.height / 2 >= view.top &&
    y - NODE.height / 2 <= view.top + view.height
      ? [index]
      : [],
  );

/** The lines that may be seen in a view. */
export const linesIn = (view: View, lines: readonly Line[]): Line[] =>
  lines.filter(({ points }) => {
    const [first, last] = [points[0], points.at(-1)];
    if (!first || !last) return false;
    return Math.min(first.y, last.y) <= view.top + view.height && Math.max(first.y, last.y) >= view.top;
  });

/** A line as the path of an SVG: it leaves its node downwards and arrives from above. */
export function pathOf({ points }: Line): string {
  const [first, ...rest] = points;
  if (!first) return "";
  let from = first;
  const round = (value: number): number => Math.round(value * 10) / 10;
  const steps = rest.map((to) => {
    const middle = round((from.y + to.y) / 2);
    const step =
      from.x === to.x
        ? `V${round(to.y)}`
        : `C${round(from.x)},${middle} ${round(to.x)},${middle} ${round(to.x)},${round(to.y)}`;
    from = to;
    return step;
  });
  return `M${round(first.x)},${round(first.y)}${steps.join("")}`;
}

/** Indices of the nodes whose name or operator contains what was typed; none for nothing. */
export function found(text: string, nodes: readonly Pick<NetworkNode, "name" | "operator">[]): number[] {
  const wanted = text.trim().toLowerCase();
  if (!wanted) return [];
  return nodes.flatMap(({ name, operator }, index) =>
    name.toLowerCase().includes(wanted) || operator.toLowerCase() === wanted ? [index] : [],
  );
}

/** The golden angle: however many groups there are, those that follow each other have colours far apart. */
const TURN = 137.508;

/** The hue of each prunable group, in degrees; those that are locked have none. */
export function groupHues(groups: readonly Pick<ChannelGroup, "name" | "prunable">[]): Map<string, number> {
  const prunable = groups.filter((group) => group.prunable);
  return new Map(prunable.map(({ name }, place) => [name, Math.round((250 + place * TURN) % 360)]));
}

/** The end of a dotted name, which tells more than its beginning, where all of it does not fit. */
export const shortened = (name: string, letters: number): string =>
  name.length <= letters ? name : `…${name.slice(1 - letters)}`;
