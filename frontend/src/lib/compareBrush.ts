// Which candidates are looked at: those that lie between bounds on every axis that has some.

import type { Codec } from "./codecs";
import { ratio, type Network, type Row } from "./compare";
import { groupKey } from "./compareColumns";
import { COST_NAMES, type Cost } from "./costPoints";
import { bytes, milliseconds, percent, si } from "./format";

/** Bounds on an axis, which both belong to what is looked at. */
export interface Brush {
  /** `top1`, `macs` (a share of the full network's), `cost:` and a cost, or `group:` and a name. */
  axis: string;
  from: number;
  to: number;
}

/** Where a brush begins and ends; undefined where there is none. */
export type Bounds = Pick<Brush, "from" | "to"> | undefined;

/** Decimals of a bound in an address. */
const DIGITS = 4;

/** Only counts are large, and those are whole. */
const rounded = (value: number): number => (value < 1e4 ? Number(value.toFixed(DIGITS)) : Math.round(value));

export const brushCodec: Codec<readonly Brush[]> = {
  read: (text) =>
    text.split(";").flatMap((part) => {
      const [from, to] = part.split("~").slice(-2).map(Number);
      const axis = decoded(part.split("~").slice(0, -2).join("~"));
      if (!axis || from === undefined || to === undefined || !(from <= to)) return [];
      return [{ axis, from, to }];
    }),
  write: (brushes) =>
    brushes
      .map(({ axis, from, to }) => `${axis.replaceAll(/[%;]/g, encodeURIComponent)}~${rounded(from)}~${rounded(to)}`)
      .join(";"),
};

/** An address that was written by hand may not be what it seems. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return "";
  }
}

/** In what bounds are typed and read. */
export interface Unit {
  /** As it stands in the label of a field, and how much one of it is. */
  name: string;
  size: number;
  text(value: number): string;
}

const SHARE: Unit = { name: "%", size: 0.01, text: (share) => percent(share) };

const UNITS: Record<Cost, Unit> = {
  macs: { name: "M", size: 1e6, text: si },
  parameters: { name: "M", size: 1e6, text: si },
  bytes: { name: "MB", size: 1e6, text: bytes },
  latency: { name: "ms", size: 1, text: milliseconds },
};

/** An axis of the parallel coordinates, or one that can be limited. */
export interface Axis {
  key: string;
  name: string;
  unit: Unit;
  /** Undefined for a candidate that has no such thing. */
  value(row: Row): number | undefined;
}

export const groupAxes = (network: Network): Axis[] =>
  network.groups.map(({ name }, place) => ({
    key: groupKey(name),
    name,
    unit: SHARE,
    value: (row) => (row.origin.network.id === network.id ? ratio(row, place) : undefined),
  }));

export const ACCURACY: Axis = { key: "top1", name: "Top-1", unit: SHARE, value: ({ top1 }) => top1 };
export const COST: Axis = { key: "macs", name: "MACs", unit: SHARE, value: ({ macsShare }) => macsShare ?? undefined };

/** What a candidate costs itself, and not beside its full network. Times are those of a kind, which the axis is called after. */
export const costAxis = (cost: Cost, kind: string | undefined): Axis => ({
  key: cost === "latency" ? `cost:latency:${kind ?? ""}` : `cost:${cost}`,
  name: COST_NAMES[cost],
  unit: UNITS[cost],
  value: (row) => {
    if (cost === "latency") return row.time?.kind === kind ? row.time?.milliseconds : undefined;
    return row[cost] ?? undefined;
  },
});

/** The axis of a cost that a brush is on; undefined for other brushes. */
function costAxisOf(key: string): Axis | undefined {
  const [, cost, , kind] = /^cost:(macs|parameters|bytes|latency)(:(.*))?$/.exec(key) ?? [];
  return cost === undefined ? undefined : costAxis(cost as Cost, kind);
}

/** The axis that a brush is on, also where nothing that is compared has it. */
export const axisOf = (key: string, known: readonly Axis[]): Axis =>
  known.find((axis) => axis.key === key) ??
  costAxisOf(key) ?? { key, name: key.replace(/^group:/, ""), unit: SHARE, value: () => undefined };

/** The rows between all bounds. Bounds on a group leave out what has no such group. */
export function within(rows: readonly Row[], brushes: readonly Brush[]): readonly Row[] {
  if (brushes.length === 0) return rows;
  // Bounds are rounded in the address, and what was the very end of a brush must stay inside.
  const slack = 0.5 * 10 ** -DIGITS;
  const tests = brushes.map(({ axis, from, to }) => ({ value: valueOf(axis), from: from - slack, to: to + slack }));
  return rows.filter((row) =>
    tests.every(({ value, from, to }) => {
      const here = value(row);
      return here !== undefined && here >= from && here <= to;
    }),
  );
}

function valueOf(axis: string): Axis["value"] {
  const known = [ACCURACY, COST].find(({ key }) => key === axis) ?? costAxisOf(axis);
  if (known) return known.value;
  const places = new Map<string, number>();
  return (row) => {
    const { network } = row.origin;
    let place = places.get(network.id);
    if (place === undefined) {
      place = network.groups.findIndex(({ name }) => groupKey(name) === axis);
      places.set(network.id, place);
    }
    return place < 0 ? undefined : ratio(row, place);
  };
}

/** The brushes with another one; each axis has one, and one that is undefined takes it away. */
export const withBrush = (brushes: readonly Brush[], axis: string, bounds: Bounds): Brush[] => [
  ...brushes.filter((brush) => brush.axis !== axis),
  ...(bounds ? [{ axis, ...bounds }] : []),
];
