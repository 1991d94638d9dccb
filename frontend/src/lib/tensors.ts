// A network's weights and statistics: which there are, and the bars of their histograms.

import type { TensorSummary } from "../api/types";
import { csv, type CsvValue } from "./csv";

/** Those whose name or layer has a text in it, whatever the case. */
export function foundTensors(tensors: readonly TensorSummary[], typed: string): readonly TensorSummary[] {
  const wanted = typed.trim().toLowerCase();
  if (wanted === "") return tensors;
  return tensors.filter(({ name, layer }) => [name, layer].some((text) => text.toLowerCase().includes(wanted)));
}

/** An interval of a histogram, with how many values lie in it. */
export interface Interval {
  from: number;
  to: number;
  values: number;
}

/** Where all values are alike there is one interval, without a width. */
export function intervalsOf({ histogram: { low, high, counts } }: Pick<TensorSummary, "histogram">): Interval[] {
  if (low === high) return [{ from: low, to: high, values: counts.reduce((sum, values) => sum + values, 0) }];
  const step = (high - low) / counts.length;
  return counts.map((values, place) => ({ from: low + place * step, to: low + (place + 1) * step, values }));
}

/** A histogram as a file. */
export const intervalLines = (intervals: readonly Interval[]): string =>
  csv(
    ["from", "to", "values"],
    intervals.map(({ from, to, values }) => [from, to, values]),
  );

/** The outline of a histogram as a path in a box, from its lower left corner. */
export function outline({ histogram }: Pick<TensorSummary, "histogram">, width: number, height: number): string {
  const { counts } = histogram;
  const largest = Math.max(1, ...counts);
  const step = width / Math.max(1, counts.length);
  const tops = counts.map((values, place) => {
    const y = (height * (1 - values / largest)).toFixed(1);
    return `L${(place * step).toFixed(1)} ${y}L${((place + 1) * step).toFixed(1)} ${y}`;
  });
  return `M0 ${height}${tops.join("")}L${width} ${height}Z`;
}

export const valuesOf = ({ shape }: Pick<TensorSummary, "shape">): number =>
  shape.reduce((product, size) => product * size, 1);

/** The table as a file, with every histogram. */
export function tensorLines(tensors: readonly TensorSummary[]): { header: string[]; lines: CsvValue[][] } {
  const intervals = Math.max(0, ...tensors.map(({ histogram }) => histogram.counts.length));
  return {
    header: [
      ...["tensor", "layer", "shape", "values", "zeros", "not_finite", "mean", "deviation", "low", "high"],
      ...Array.from({ length: intervals }, (_, place) => `values_in_interval_${place + 1}`),
    ],
    lines: tensors.map((tensor) => [
      ...[tensor.name, tensor.layer, tensor.shape.join("x"), valuesOf(tensor), tensor.zeros, tensor.not_finite],
      ...[tensor.mean, tensor.deviation, tensor.histogram.low, tensor.histogram.high, ...tensor.histogram.counts],
    ]),
  };
}
