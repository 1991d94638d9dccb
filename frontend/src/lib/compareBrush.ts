// Which candidates are looked at: those that lie between bounds on every axis that has some.

import type { Codec } from "./codecs";
import { ratio, type Network, type Row } from "./compare";
import { groupKey } from "./compareColumns";

/** Bounds on an axis, which both belong to what is looked at. */
export interface Brush {
  /** `top1`, `macs` (a share of the full network's), or `group:` and a name. */
  axis: string;
  from: number;
  to: number;
}

/** Decimals of a bound in an address. */
const DIGITS = 4;

const rounded = (value: number): number => Number(value.toFixed(DIGITS));

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

/** An axis of the parallel coordinates, or one that can be limited. */
export interface Axis {
  key: string;
  name: string;
  /** Undefined for a candidate that has no such thing. */
  value(row: Row): number | undefined;
}

export const groupAxes = (network: Network): Axis[] =>
  network.groups.map(({ name }, place) => ({
    key: groupKey(name),
    name,
    value: (row) => (row.origin.network.id === network.id ? ratio(row, place) : undefined),
  }));

export const ACCURACY: Axis = { key: "top1", name: "Top-1", value: ({ top1 }) => top1 };
export const COST: Axis = { key: "macs", name: "MACs", value: ({ macsShare }) => macsShare ?? undefined };

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
  const known = [ACCURACY, COST].find(({ key }) => key === axis);
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
export const withBrush = (
  brushes: readonly Brush[],
  axis: string,
  bounds: { from: number; to: number } | undefined,
): Brush[] => [...brushes.filter((brush) => brush.axis !== axis), ...(bounds ? [{ axis, ...bounds }] : [])];
