// Candidates for the tests of the comparison.

import type { ChannelGroup, Layer } from "../api/types";
import { ratiosOf, type Network, type Origin, type Row } from "./compare";

const group = (name: string, size: number, members: [parameter: string, axis: number][]): ChannelGroup => ({
  ...{ name, size, prunable: true, reason: null, normalised_by: null, computed: [] },
  members: members.map(([parameter, axis]) => ({ parameter, axis })),
});

const layer = (name: string, macs: number): Layer => ({ name, operator: "conv2d", shape: [1], macs, parameters: 1 });

export const NETWORK: Network = {
  id: "m",
  name: "Net",
  groups: [
    { name: "conv1", size: 16 },
    { name: "conv2", size: 64 },
  ],
  structure: {
    layers: [layer("conv1", 200), layer("conv2", 800)],
    groups: [
      group("conv1", 16, [
        ["conv1.weight", 0],
        ["conv2.weight", 1],
      ]),
      group("conv2", 64, [["conv2.weight", 0]]),
    ],
  },
  macs: 1000,
  parameters: 100,
};

export const origin = (changes: Partial<Origin> = {}): Origin => ({
  id: "s",
  title: "Search",
  createdAt: "2026-01-01T00:00:00Z",
  network: NETWORK,
  full: { top1: 0.9, interval: { low: 0.88, high: 0.92 }, test: 0.88, macs: 1000, parameters: 100, bytes: 400 },
  macs: 1000,
  budgets: [{ macs: 0.5 }],
  request: {} as Origin["request"],
  ...changes,
});

const ORIGIN = origin();

const KEPT = Uint32Array.from([8, 32]);

export const row = (id: string, changes: Partial<Row> = {}): Row => ({
  id,
  index: 0,
  origin: ORIGIN,
  strategy: "random",
  isReference: false,
  isProbe: false,
  budget: "50% of MACs",
  budgetPlace: 0,
  top1: 0.8,
  interval: { low: 0.79, high: 0.81 },
  error: 0.01,
  test: null,
  top5: 0.99,
  plain: null,
  loss: 0.4,
  images: 1000,
  macs: 500,
  macsShare: 0.5,
  parameters: 50,
  parametersShare: 0.5,
  bytes: 200,
  time: null,
  seconds: 2,
  kept: KEPT,
  ratios: ratiosOf(changes.kept ?? KEPT, (changes.origin ?? ORIGIN).network.groups),
  ...changes,
});
