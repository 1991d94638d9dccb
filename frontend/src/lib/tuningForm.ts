// The form of a tuning: what it starts with, what is likely to be wrong, and the options that it makes.

import { TUNE_OPTIONS } from "../api/tuneOptions.gen";
import type { Distillation, Optimizer, TuneOptions } from "../api/types";
import { count } from "./format";
import type { FieldErrors } from "./searchForm";

type Options = typeof TUNE_OPTIONS;
type PathOf<Type extends string> = {
  [Path in keyof Options]: Options[Path]["type"] extends Type ? Path : never;
}[keyof Options];

export type NumberPath = PathOf<"integer" | "number">;
export type SwitchPath = PathOf<"boolean">;

/** The fields as they are set, by the paths that the server names. */
export interface TuningForm {
  /** Null while its field is empty, which stands for the default. */
  numbers: Record<NumberPath, number | null>;
  switches: Record<SwitchPath, boolean>;
  optimizer: Optimizer;
  distils: boolean;
}

/** A range, as a schema has it. */
interface Range {
  type: string;
  default: unknown;
  minimum?: number;
  exclusiveMinimum?: number;
  maximum?: number;
  exclusiveMaximum?: number;
}

/** Epochs that come close to what training can reach, where nothing else is asked for. */
const USUAL_EPOCHS = 5;

const NUMBERS = Object.keys(TUNE_OPTIONS).filter((path) => isNumber(rangeOf(path))) as NumberPath[];
const SWITCHES = Object.keys(TUNE_OPTIONS).filter((path) => rangeOf(path).type === "boolean") as SwitchPath[];

export const OPTIMIZERS: Record<Optimizer, string> = { sgd: "SGD", adamw: "AdamW" };

/** A form with the defaults; without labels the full network is all there is to learn from. */
export const emptyForm = (isLabelled = true): TuningForm => ({
  numbers: {
    ...(Object.fromEntries(NUMBERS.map((path) => [path, TUNE_OPTIONS[path].default])) as TuningForm["numbers"]),
    epochs: USUAL_EPOCHS,
  },
  switches: Object.fromEntries(SWITCHES.map((path) => [path, TUNE_OPTIONS[path].default])) as TuningForm["switches"],
  optimizer: TUNE_OPTIONS.optimizer.default,
  distils: !isLabelled,
});

/** Whether a number means anything with the other fields as they are. */
export function applies(path: NumberPath, { switches, optimizer, distils }: TuningForm): boolean {
  if (path === "learning_rate") return !switches.find_learning_rate;
  if (path === "momentum") return optimizer === "sgd";
  return distils || !path.startsWith("distillation.");
}

/** What a field holds that is left empty, where it is a number. */
export const defaultOf = (path: NumberPath): number | null => TUNE_OPTIONS[path].default;

/** The least and the largest value that an input takes, where they are within the range. */
export const boundsOf = (path: NumberPath): { min?: number; max?: number } => {
  const { minimum, maximum } = rangeOf(path);
  return { min: minimum, max: maximum };
};

export const isWhole = (path: NumberPath): boolean => rangeOf(path).type === "integer";

/** Fields that cannot be sent as they are. */
export function missing({ numbers: { epochs, minutes } }: TuningForm): FieldErrors {
  return epochs === null && minutes === null ? { epochs: "Enter a number of epochs, or a time limit." } : {};
}

/** What the server would refuse, said while typing. The server has the last word. */
export function hints(form: TuningForm): FieldErrors {
  const found: FieldErrors = {};
  for (const path of NUMBERS) {
    const value = form.numbers[path];
    if (value === null || !applies(path, form)) continue;
    if (isWhole(path) && !Number.isInteger(value)) found[path] = "Enter a whole number.";
    else if (!isWithin(value, rangeOf(path))) found[path] = rangeText(rangeOf(path));
  }
  return found;
}

/** The options that a form stands for. Call it when nothing is `missing`. */
export function toOptions(form: TuningForm): TuneOptions {
  const sent = NUMBERS.filter((path) => form.numbers[path] !== null && applies(path, form));
  const numbers = Object.fromEntries(sent.map((path) => [path, form.numbers[path]]));
  const { "distillation.temperature": temperature, "distillation.weight": weight, ...own } = numbers;
  const distillation = Object.fromEntries(
    Object.entries({ temperature, weight }).filter(([, value]) => value !== undefined),
  ) as unknown as Distillation;
  return { ...own, optimizer: form.optimizer, ...form.switches, ...(form.distils ? { distillation } : {}) };
}

function rangeOf(path: string): Range {
  return (TUNE_OPTIONS as Record<string, Range>)[path] ?? { type: "", default: null };
}

function isNumber({ type }: Range): boolean {
  return type === "integer" || type === "number";
}

function isWithin(value: number, { minimum, exclusiveMinimum, maximum, exclusiveMaximum }: Range): boolean {
  return (
    value >= (minimum ?? -Infinity) &&
    value > (exclusiveMinimum ?? -Infinity) &&
    value <= (maximum ?? Infinity) &&
    value < (exclusiveMaximum ?? Infinity)
  );
}

/** `From 1 to 10,000.`, `Above 0 and below 1.`, `At least 0.` */
function rangeText({ minimum, exclusiveMinimum, maximum, exclusiveMaximum }: Range): string {
  if (minimum !== undefined && maximum !== undefined) return `From ${count(minimum)} to ${count(maximum)}.`;
  const low = minimum === undefined ? `Above ${count(exclusiveMinimum ?? 0)}` : `At least ${count(minimum)}`;
  if (maximum !== undefined) return `${low} and at most ${count(maximum)}.`;
  return exclusiveMaximum === undefined ? `${low}.` : `${low} and below ${count(exclusiveMaximum)}.`;
}
