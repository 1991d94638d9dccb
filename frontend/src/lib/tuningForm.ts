// The form of a tuning: what it starts with, what is likely to be wrong, and the options that it makes.

import { TUNE_OPTIONS } from "../api/tuneOptions.gen";
import type { Distillation, TuneOptions } from "../api/types";
import { count } from "./format";
import type { FieldErrors } from "./searchForm";

type Options = typeof TUNE_OPTIONS;
type PathOf<Type extends string> = {
  [Path in keyof Options]: Options[Path]["type"] extends Type ? Path : never;
}[keyof Options];

export type NumberPath = PathOf<"integer" | "number">;
export type SwitchPath = PathOf<"boolean">;
export type ChoicePath = PathOf<"string">;

/** The fields as they are set, by the paths that the server names. */
export interface TuningForm {
  /** Null while its field is empty, which stands for the default. */
  numbers: Record<NumberPath, number | null>;
  switches: Record<SwitchPath, boolean>;
  choices: Record<ChoicePath, string>;
  distils: boolean;
}

/** A range, as a schema has it. */
interface Range {
  type: string;
  default?: unknown;
  enum?: readonly string[];
  minimum?: number;
  exclusiveMinimum?: number;
  maximum?: number;
  exclusiveMaximum?: number;
}

/** Epochs that come close to what training can reach, where nothing else is asked for. */
const USUAL_EPOCHS = 5;

const pathsOf = (...types: string[]): string[] =>
  Object.keys(TUNE_OPTIONS).filter((path) => types.includes(rangeOf(path).type));
const NUMBERS = pathsOf("integer", "number") as NumberPath[];
const SWITCHES = pathsOf("boolean") as SwitchPath[];
const CHOICES = pathsOf("string") as ChoicePath[];

/** What there is to choose from, by what the page calls it; a value that it has no name for goes by its own. */
const CHOICE_NAMES: Record<string, string> = {
  sgd: "SGD",
  adamw: "AdamW",
  adapted: "Adaptive batch norm",
  repaired: "Repaired weights",
};
export const choiceName = (value: string): string => CHOICE_NAMES[value] ?? value;

/** A form with the defaults; without labels the full network is all there is to learn from. */
export const emptyForm = (isLabelled = true): TuningForm => ({
  numbers: { ...(defaultsOf(NUMBERS) as TuningForm["numbers"]), epochs: USUAL_EPOCHS },
  switches: defaultsOf(SWITCHES) as TuningForm["switches"],
  choices: defaultsOf(CHOICES) as TuningForm["choices"],
  distils: !isLabelled,
});

/**
 * The form as it begins: as `kept` where it was typed before, with the defaults of fields that this version has and the other one that
 * kept it had not; else with the defaults.
 */
export function begin(isLabelled: boolean, kept?: TuningForm): TuningForm {
  const usual = emptyForm(isLabelled);
  if (!kept) return usual;
  return {
    numbers: known(usual.numbers, kept.numbers),
    switches: known(usual.switches, kept.switches),
    choices: known(usual.choices, kept.choices),
    distils: kept.distils,
  };
}

/** What was kept of the fields that there are. */
const known = <T extends object>(usual: T, kept: T): T => ({
  ...usual,
  ...Object.fromEntries(Object.entries(kept).filter(([name]) => Object.hasOwn(usual, name))),
});

/** Whether a number means anything with the other fields as they are. */
export function applies(path: NumberPath, { switches, choices, distils }: TuningForm): boolean {
  if (path === "learning_rate") return !switches.find_learning_rate;
  if (path === "momentum") return choices.optimizer === "sgd";
  return distils || !path.startsWith("distillation.");
}

/** Whether the server has an option of this path; one that it has only in a newer version is left out of the form. */
export const isKnown = <Path extends keyof Options>(path: string): path is Path => Object.hasOwn(TUNE_OPTIONS, path);

/** What there is to choose from. */
export const choicesOf = (path: ChoicePath): readonly string[] => rangeOf(path).enum ?? [];

/** What a field holds that is left empty, where it is a number. */
export const defaultOf = (path: NumberPath): number | null => (rangeOf(path).default as number | undefined) ?? null;

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
  return {
    ...own,
    ...(form.choices as Partial<TuneOptions>),
    ...form.switches,
    ...(form.distils ? { distillation } : {}),
  };
}

function rangeOf(path: string): Range {
  return (TUNE_OPTIONS as Record<string, Range>)[path] ?? { type: "" };
}

function defaultsOf(paths: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(paths.map((path) => [path, rangeOf(path).default ?? null]));
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
