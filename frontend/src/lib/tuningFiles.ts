// Fine-tunings as CSV: a list of them, and how the weights of one have moved.

import type { DriftKind, Epoch, TuneOptions, Tuning } from "../api/types";
import { csv } from "./csv";
import { wilson } from "./intervals";
import { intervalsOf } from "./tensors";
import { DRIFT_NAMES, driftByEpoch, type NormsByEpoch } from "./tunings";

/** Fine-tunings with what they have come to. `indices` are the numbers of candidates in their search, by id. */
export const tuningsCsv = (tunings: readonly Tuning[], indices: ReadonlyMap<string, number>): string =>
  csv(
    [
      ...["id", "candidate_id", "candidate", "state", "start", "epochs", "minutes"],
      ...["top1_full_network", "top1_before", "top1", "top1_low", "top1_high", "validation_images"],
      ...["top1_on_test_images", "test_images", "created_at", "finished_at"],
    ],
    tunings.map(({ id, candidate_id, state, start, request, result, created_at, finished_at }) => {
      const { epochs, minutes }: TuneOptions = request;
      const interval = result && wilson(result.validation.top1, result.validation_images);
      return [
        ...[id, candidate_id, indices.get(candidate_id), state, start, epochs, minutes],
        ...[result?.full.top1, result?.before.top1, result?.validation.top1, interval?.low, interval?.high],
        ...[result?.validation_images, result?.test?.top1, result?.test ? result.test_images : null],
        ...[created_at, finished_at],
      ];
    }),
  );

/** The median change of the layers since the start, by epoch and kind of tensor. */
export const medianChangesCsv = (epochs: readonly Epoch[]): string =>
  csv(
    ["kind", "epoch", "median_change"],
    (Object.keys(DRIFT_NAMES) as DriftKind[]).flatMap((kind) =>
      driftByEpoch(epochs, kind).map(({ x, y }) => [kind, x, y]),
    ),
  );

/** How the norms of the filters are spread after each epoch, interval by interval; epoch 0 is before the first. */
export const normsCsv = (epochs: readonly NormsByEpoch[]): string =>
  csv(
    ["epoch", "from", "to", "filters"],
    epochs.flatMap(({ epoch, filter_norms }) =>
      intervalsOf({ histogram: filter_norms }).map(({ from, to, values }) => [epoch, from, to, values]),
    ),
  );
