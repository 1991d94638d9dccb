// What a tuning's progress, epochs and options mean in words and numbers.

import type { Candidate, DriftKind, Epoch, Histogram, Score, TuneOptions, Tuning } from "../api/types";
import { scoreOf } from "./candidates";
import { labelOf } from "./fieldLabels";
import { capitalised, count, counted, duration } from "./format";
import { progressText } from "./jobs";
import { choiceName } from "./tuningForm";

/** The phase in which the network is trained, as the server names it. */
const EPOCHS = "epochs";

/** What moves while a network is trained. */
export const DRIFT_NAMES: Record<DriftKind, string> = {
  weight: "weights",
  mean: "running means",
  variance: "running variances",
};

/** How long a network is trained: `5 epochs`, `10 min at most`, `5 epochs, 10 min at most`. */
export function lengthText({ request: { epochs, minutes } }: Pick<Tuning, "request">): string {
  // Both are left out of what has no such limit.
  const limits = { epochs, minutes } as TuneOptions;
  const time = limits.minutes == null ? [] : [`${duration(60 * limits.minutes)} at most`];
  return [...(limits.epochs == null ? [] : [counted(limits.epochs, "epoch")]), ...time].join(", ");
}

/** What tells a fine-tuning of a study from the others of its candidate, behind a title: `, seed 2, of a study`; nothing for any other. */
export function ofStudy({ study_id, request }: Pick<Tuning, "study_id" | "request">): string {
  return study_id === null ? "" : `, seed ${(request as TuneOptions).seed ?? 0}, of a study`;
}

/** What to call a fine-tuning among those of other candidates, whose number may not be known. */
export function tuningTitle(
  search: string,
  index: number | undefined,
  tuning: Parameters<typeof ofStudy>[0] | undefined,
): string {
  const candidate = index === undefined ? "" : ` of candidate ${index}`;
  return `Fine-tuning${candidate} for ${search}${tuning ? ofStudy(tuning) : ""}`;
}

/** The score that a tuning begins with; undefined where its search has none. */
export function beforeTuning({ result, start }: Tuning, candidate: Candidate | undefined): Score | undefined {
  if (result || !candidate) return result?.before;
  return start === "adapted" ? candidate.score : scoreOf(candidate, start);
}

/** Epochs that are done, as far as steps tell: all take equally many. Undefined where only a time limit is known. */
function epochsDone({ progress: { done, total }, request: { epochs } }: Tuning): number | undefined {
  return epochs && total > 0 ? Math.floor((done * epochs) / total) : undefined;
}

/** How far it is: `Epoch 2 of 5, step 120 of 276`; the step alone where neither the epochs so far nor their number is known. */
export function tuningText(tuning: Tuning, epochs?: readonly Epoch[]): string {
  const { state, progress, request, waiting_for } = tuning;
  if (state === "queued" || waiting_for !== null || progress.phase !== EPOCHS) return progressText(tuning);
  const of = (total: number | undefined): string => (total ? ` of ${count(total)}` : "");
  const step = `step ${count(progress.done)}${of(progress.total)}`;
  const paused = state === "paused" ? "Paused. " : "";
  // One that began anew has rows of epochs that it has not come to again.
  const done = epochs?.filter(({ steps }) => steps <= progress.done).length ?? epochsDone(tuning);
  if (done === undefined) return `${paused}${capitalised(step)}`;
  const epoch = Math.min(done + 1, request.epochs ?? Infinity);
  return `${paused}Epoch ${count(epoch)}${of(request.epochs)}, ${step}`;
}

/** How fast steps go, as they are seen to go. */
export class Pace {
  #first: { done: number; at: number } | undefined;
  #latest = 0;
  #perStep: number | undefined;

  /** Notes how far a tuning is at a time in milliseconds. */
  see({ state, progress: { phase, done } }: Pick<Tuning, "state" | "progress">, at: number): void {
    const isTraining = state === "running" && phase === EPOCHS;
    if (!isTraining || done < this.#latest) this.#first = this.#perStep = undefined;
    this.#latest = done;
    if (!isTraining) return;
    this.#first ??= { done, at };
    if (done > this.#first.done) this.#perStep = (at - this.#first.at) / 1000 / (done - this.#first.done);
  }

  /** Seconds a step; undefined before two of them were seen. */
  get perStep(): number | undefined {
    return this.#perStep;
  }
}

/**
 * Seconds until the last step, at the speed of all epochs so far with their validation, or before there are any, at the
 * speed that was seen; undefined where it is too early to say.
 */
export function secondsLeft(tuning: Tuning, epochs: readonly Epoch[], seen: number | undefined): number | undefined {
  const { state, progress } = tuning;
  if (state !== "running" || progress.phase !== EPOCHS) return undefined;
  const last = epochs.at(-1);
  const perStep = last ? last.seconds / Math.max(1, last.steps) : seen;
  if (perStep === undefined) return undefined;
  // With a time limit the number of steps is not known at once, but the time is.
  const steps = progress.total > 0 ? progress.total - progress.done : undefined;
  if (steps !== undefined) return Math.max(0, steps * perStep);
  return last && Math.max(0, last.seconds_left - (progress.done - last.steps) * perStep);
}

/** The filters' norms after an epoch; epoch 0 is the network that fine-tuning began with. */
export type NormsByEpoch = Pick<Epoch, "epoch" | "filter_norms">;

/** The norms before the first step, where they are known, and after each epoch. */
export const normsByEpoch = (epochs: readonly Epoch[], before: Histogram | null | undefined): NormsByEpoch[] => [
  ...(before ? [{ epoch: 0, filter_norms: before }] : []),
  ...epochs,
];

/** When norms are those of. */
export const afterEpoch = ({ epoch }: Pick<Epoch, "epoch">): string =>
  epoch === 0 ? "before the first step" : `after epoch ${epoch}`;

/** The place of the epoch of this number; the latest's where there is none. */
export function epochPlace(epochs: readonly Pick<Epoch, "epoch">[], number: number | undefined): number {
  const found = epochs.findIndex(({ epoch }) => epoch === number);
  return found < 0 ? epochs.length - 1 : found;
}

/** The median of what a kind of tensor has moved by, epoch by epoch; empty where no layer has it. */
export const driftByEpoch = (epochs: readonly Epoch[], wanted: DriftKind): { x: number; y: number }[] =>
  epochs.flatMap(({ epoch, drift }) => {
    const y = median(drift.filter(({ kind }) => kind === wanted).map(({ relative }) => relative));
    return y === undefined ? [] : [{ x: epoch, y }];
  });

function median(values: readonly number[]): number | undefined {
  const inOrder = [...values].sort((a, b) => a - b);
  const [low, high] = [inOrder[(inOrder.length - 1) >> 1], inOrder[inOrder.length >> 1]];
  return low === undefined || high === undefined ? undefined : (low + high) / 2;
}

/** What was asked for, each option with its label; an option without a value is not there. */
export function settingsOf({ start, request }: Pick<Tuning, "start" | "request">): { label: string; value: string }[] {
  const { distillation, ...options }: TuneOptions & Pick<Tuning, "start"> = { ...request, start };
  const inDistillation = Object.entries(distillation ?? {}).map(([name, value]) => [`distillation.${name}`, value]);
  return [...Object.entries(options), ...inDistillation].map(([path, value]) => ({
    label: labelOf(path as string),
    value: valueText(value),
  }));
}

function valueText(value: unknown): string {
  if (typeof value === "boolean") return value ? "on" : "off";
  return choiceName(String(value));
}

/** A small number without a long tail: `0.0117`, `8.2e-7`. */
export const significant = (value: number): string =>
  value !== 0 && Math.abs(value) < 1e-3 ? value.toExponential(1) : String(Number(value.toPrecision(3)));
