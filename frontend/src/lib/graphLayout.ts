// Where the nodes of a network are drawn: from its input down to its output.

import { Graph, layout } from "@dagrejs/dagre";

import { Links, NODE, type GraphLayout, type Line, type NetworkNode, type Place } from "./networkGraph";

/** Pixels between rows and between nodes of a row, and around all of it. */
const GAP = { row: 24, node: 20, edge: 12 };
const MARGIN = 12;
const STEP = NODE.height + GAP.row;

/**
 * Rows that the lines of one part may cross in all. Each costs dagre as much as a node; a dense block, where every layer reads
 * all before it, would have thousands. The longest lines are drawn around the nodes then, without a way of their own.
 */
const CROSSED = 100;

/** A part of a network that has a layout of its own: its first and last node are all that the others see of it. */
interface Part {
  first: number;
  last: number;
}

/**
 * Lays a network out. Where everything goes through one node, the network is cut there: a part takes dagre milliseconds, and
 * those that are alike, as the blocks of a ResNet, are laid out once.
 */
export function layOut(nodes: readonly Pick<NetworkNode, "name" | "inputs">[]): GraphLayout {
  const links = new Links(nodes);
  const places: Place[] = nodes.map(() => ({ x: 0, y: 0 }));
  const lines: Line[] = [];
  const known = new Map<string, GraphLayout>();
  for (const part of parts(links)) {
    const key = shapeOf(part, links);
    const own = known.get(key) ?? layOutPart(part, links);
    known.set(key, own);
    const [start, top] = [places[part.first], own.places[0]];
    if (!start || !top) continue;
    const [dx, dy] = [start.x - top.x, start.y - top.y];
    const moved = ({ x, y }: Place): Place => ({ x: x + dx, y: y + dy });
    for (const [place, at] of own.places.entries()) places[part.first + place] = moved(at);
    for (const { from, to, points } of own.lines) {
      lines.push({ from: part.first + from, to: part.first + to, points: points.map(moved) });
    }
  }
  return framed(places, lines);
}

/** The parts between nodes that everything goes through, each beginning where the one before ends. */
function parts(links: Links): Part[] {
  const found: Part[] = [];
  const count = links.outputs.length;
  let first = 0;
  // The last node that anything before the current one leads to.
  let reach = 0;
  for (let index = 0; index < count; index += 1) {
    const isWaist = index > first && reach <= index;
    if (isWaist && !isSource(index, links) && !isSource(index + 1, links)) {
      found.push({ first, last: index });
      first = index;
    }
    reach = Math.max(reach, ...(links.outputs[index] ?? []));
  }
  if (first < count - 1) found.push({ first, last: count - 1 });
  return found;
}

/** A second input of the network, which stands beside the node before it and not below: it is laid out with both neighbours. */
const isSource = (index: number, links: Links): boolean => index > 0 && links.inputs[index]?.length === 0;

/** What leads where within a part, which is all that its layout depends on. */
function shapeOf({ first, last }: Part, links: Links): string {
  const inner = links.inputs.slice(first + 1, last + 1);
  return inner.map((inputs, place) => inputs.map((input) => first + 1 + place - input).join(",")).join(";");
}

function layOutPart({ first, last }: Part, links: Links): GraphLayout {
  const count = last - first + 1;
  if (count === 2)
    return framed(
      [
        { x: 0, y: 0 },
        { x: 0, y: STEP },
      ],
      edgesOf(first, last, links).map(straight),
    );
  const graph = new Graph();
  graph.setGraph({ rankdir: "TB", ranksep: GAP.row, nodesep: GAP.node, edgesep: GAP.edge, ranker: "longest-path" });
  graph.setDefaultEdgeLabel(() => ({}));
  for (let index = 0; index < count; index += 1) graph.setNode(String(index), { ...NODE });
  const { short, long } = bySpan(edgesOf(first, last, links), count);
  for (const { from, to } of short) graph.setEdge(String(from), String(to));
  layout(graph);
  const places = Array.from({ length: count }, (_, index): Place => {
    const { x = 0, y = 0 } = graph.node(String(index)) as Partial<Place>;
    return { x, y };
  });
  const routed = short.map(({ from, to }): Line => {
    const edge = graph.edge(String(from), String(to)) as { points?: Place[] };
    return { from, to, points: attached(edge.points ?? [], places[from], places[to]) };
  });
  return { places, lines: [...routed, ...long.map((edge) => around(edge, places))], width: 0, height: 0 };
}

type Edge = Pick<Line, "from" | "to">;

/** Edges within a part, counted from its first node. */
const edgesOf = (first: number, last: number, links: Links): Edge[] =>
  links.inputs
    .slice(first + 1, last + 1)
    .flatMap((inputs, place) => inputs.map((input) => ({ from: input - first, to: place + 1 })))
    .filter(({ from }) => from >= 0);

/** Edges that get a way of their own, and those that would cross too many rows for that. */
function bySpan(edges: Edge[], count: number): { short: Edge[]; long: Edge[] } {
  const rows = new Array<number>(count).fill(0);
  for (const { from, to } of edges) rows[to] = Math.max(rows[to] ?? 0, (rows[from] ?? 0) + 1);
  const span = ({ from, to }: Edge): number => (rows[to] ?? 0) - (rows[from] ?? 0);
  let left = CROSSED;
  const short: Edge[] = [];
  const long: Edge[] = [];
  // One that leads to the next row is always there, and keeps every node below its inputs.
  for (const edge of edges.toSorted((a, b) => span(a) - span(b))) {
    const crossed = span(edge) - 1;
    if (crossed > 0 && crossed > left) long.push(edge);
    else {
      left -= crossed;
      short.push(edge);
    }
  }
  return { short, long };
}

/** dagre ends a line where it meets its node's border at some angle; it is drawn from the middle of the border below. */
function attached(points: Place[], from: Place | undefined, to: Place | undefined): Place[] {
  if (!from || !to) return points;
  return [
    { x: from.x, y: from.y + NODE.height / 2 },
    ...points.slice(1, -1).filter(({ y }) => y > from.y + NODE.height / 2 && y < to.y - NODE.height / 2),
    { x: to.x, y: to.y - NODE.height / 2 },
  ];
}

const straight = ({ from, to }: Edge): Line => ({
  from,
  to,
  points: [
    { x: 0, y: NODE.height / 2 },
    { x: 0, y: STEP - NODE.height / 2 },
  ],
});

/** A line to the right of everything between its nodes. */
function around({ from, to }: Edge, places: readonly Place[]): Line {
  const [a, b] = [places[from] ?? { x: 0, y: 0 }, places[to] ?? { x: 0, y: 0 }];
  const between = places.filter(({ y }) => y > a.y && y < b.y).map(({ x }) => x);
  const side = Math.max(a.x, b.x, ...between) + NODE.width / 2 + GAP.edge + 4 * (from % 12);
  const [start, end] = [a.y + NODE.height / 2, b.y - NODE.height / 2];
  return {
    from,
    to,
    points: [
      { x: a.x, y: start },
      { x: side, y: start + STEP },
      { x: side, y: Math.max(start + STEP, end - STEP) },
      { x: b.x, y: end },
    ],
  };
}

/** Moves everything so that it begins at the margin. */
function framed(places: Place[], lines: Line[]): GraphLayout {
  if (places.length === 0) return { places, lines, width: 0, height: 0 };
  const points = lines.flatMap((line) => line.points);
  const xs = [...places.flatMap(({ x }) => [x - NODE.width / 2, x + NODE.width / 2]), ...points.map(({ x }) => x)];
  const ys = places.flatMap(({ y }) => [y - NODE.height / 2, y + NODE.height / 2]);
  const [left, top] = [least(xs), least(ys)];
  const moved = ({ x, y }: Place): Place => ({ x: x - left + MARGIN, y: y - top + MARGIN });
  return {
    places: places.map(moved),
    lines: lines.map((line) => ({ ...line, points: line.points.map(moved) })),
    width: most(xs) - left + 2 * MARGIN,
    height: most(ys) - top + 2 * MARGIN,
  };
}

const least = (values: readonly number[]): number => values.reduce((a, b) => Math.min(a, b), Infinity);
const most = (values: readonly number[]): number => values.reduce((a, b) => Math.max(a, b), -Infinity);
