// How series of points are told apart: by shape as well as by colour, and a strategy looks the same in every chart.

import type { StrategyName } from "../api/types";

export type Shape = "circle" | "square" | "up" | "down" | "plus" | "cross" | "left" | "right" | "star" | "diamond";

export interface Series {
  key: string;
  name: string;
  shape: Shape;
  /** The name of a CSS variable. */
  colour: string;
}

const LOOKS: readonly Shape[] = ["circle", "square", "up", "down", "plus", "cross", "left", "right"];

/** By the places of their looks. */
const STRATEGIES: readonly StrategyName[] = [
  "sensitivity",
  "uniform",
  "random",
  "evolutionary",
  "near_uniform",
  "global_magnitude",
  "manual",
  "reference",
];

/** Beyond the eighth, shapes come again in other colours. */
const look = (place: number): Pick<Series, "shape" | "colour"> => ({
  shape: LOOKS[place % LOOKS.length] ?? "circle",
  colour: `--series-${((place + Math.floor(place / LOOKS.length)) % LOOKS.length) + 1}`,
});

/** Series that are told apart by their places, such as searches beside each other. */
export const seriesOf = (named: readonly { key: string; name: string }[]): Series[] =>
  named.map(({ key, name }, place) => ({ key, name, ...look(place) }));

/** The strategies that are there, in the order of their looks. */
export const strategySeries = (strategies: Iterable<string>): Series[] => {
  const place = (name: string): number => (STRATEGIES as readonly string[]).indexOf(name);
  return [...new Set(strategies)]
    .sort((a, b) => place(a) - place(b))
    .map((name) => ({
      key: name,
      name: name === "uniform" ? "uniform, the reference" : name,
      ...look(Math.max(0, place(name))),
    }));
};

/** The outline of a mark around a place, as an SVG path. Marks of one radius look about as large as each other. */
export function shapePath(shape: Shape, x: number, y: number, r: number): string {
  const polygon = (corners: readonly (readonly [number, number])[]): string =>
    `M${corners.map(([dx, dy]) => `${round(x + dx * r)} ${round(y + dy * r)}`).join("L")}Z`;
  if (shape === "circle") {
    const d = round(2 * r);
    return `M${round(x - r)} ${round(y)}a${round(r)} ${round(r)} 0 1 0 ${d} 0a${round(r)} ${round(r)} 0 1 0 ${-d} 0Z`;
  }
  return polygon(CORNERS[shape]);
}

const round = (value: number): number => Math.round(value * 100) / 100;

type Corners = readonly (readonly [number, number])[];

const turned = (corners: Corners, turn: number): Corners =>
  corners.map(([x, y]) => [x * Math.cos(turn) - y * Math.sin(turn), x * Math.sin(turn) + y * Math.cos(turn)]);

const TRIANGLE: Corners = [
  [0, -1.2],
  [1.15, 0.85],
  [-1.15, 0.85],
];

/** An arm's half width and length. */
const [HALF, ARM] = [0.42, 1.2];

const PLUS: Corners = [
  [-HALF, -ARM],
  [HALF, -ARM],
  [HALF, -HALF],
  [ARM, -HALF],
  [ARM, HALF],
  [HALF, HALF],
  [HALF, ARM],
  [-HALF, ARM],
  [-HALF, HALF],
  [-ARM, HALF],
  [-ARM, -HALF],
  [-HALF, -HALF],
];

const STAR: Corners = Array.from({ length: 10 }, (_, place) => {
  const [radius, angle] = [place % 2 === 0 ? 1.6 : 0.7, (Math.PI * place) / 5];
  return [radius * Math.sin(angle), -radius * Math.cos(angle)] as const;
});

const CORNERS: Record<Exclude<Shape, "circle">, Corners> = {
  square: [
    [-0.9, -0.9],
    [0.9, -0.9],
    [0.9, 0.9],
    [-0.9, 0.9],
  ],
  diamond: [
    [0, -1.1],
    [1.1, 0],
    [0, 1.1],
    [-1.1, 0],
  ],
  up: TRIANGLE,
  down: turned(TRIANGLE, Math.PI),
  left: turned(TRIANGLE, -Math.PI / 2),
  right: turned(TRIANGLE, Math.PI / 2),
  plus: PLUS,
  cross: turned(PLUS, Math.PI / 4),
  star: STAR,
};
