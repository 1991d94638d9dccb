// What warnings are called, and which of them a failed search's error says again.

import type { Search, Warning, WarningCode } from "../api/types";
import { capitalised } from "./format";

/** What each kind of warning is called. */
const TITLES: Record<WarningCode, string> = {
  input_size_differs: "Input size differs",
  input_size_guessed: "Input size guessed",
  near_chance: "Full network near chance",
  above_full_network: "Candidate above the full network",
  one_answer: "One answer for nearly all images",
  other_preset_fits: "Another preset fits better",
  class_order_suspect: "Order of the classes suspect",
  unlabelled: "No labels",
  few_scoring_images: "Few scoring images",
  few_calibration_images: "Few calibration images",
  winner_ties_with_uniform: "Winner ties with uniform",
  winner_below_uniform: "Winner below uniform",
  winner_slower_than_full: "Winner slower than the full network",
  latency_budget_missed: "Latency budget missed",
  no_onnxruntime: "Not measured in ONNX Runtime",
  not_repaired: "Candidate not repaired",
  not_short_tuned: "Candidate not trained",
};

/** The title of a warning; the code as words where a newer server has one that this page does not know. */
export const warningTitle = ({ code }: Pick<Warning, "code">): string =>
  TITLES[code] ?? capitalised(String(code).replaceAll("_", " "));

/**
 * Findings that end a search as well, by words of its error, to which the API gives no code. The warning has the same figures, or
 * those of the first candidate that it was found of.
 */
const ENDS: readonly (readonly [WarningCode, string])[] = [
  ["near_chance", "which is chance for"],
  ["above_full_network", "pruning cannot cause this"],
];

/** The finding that ended a search; undefined where something else did. */
export const findingOf = (error: string | null): WarningCode | undefined =>
  ENDS.find(([, words]) => error?.includes(words))?.[0];

/** The warnings of a search that say more than its error. */
export function otherWarnings({ error, warnings }: Pick<Search, "error" | "warnings">): Warning[] {
  if (error === null) return warnings;
  const finding = findingOf(error);
  return warnings.filter(({ code, message }) => code !== finding && plain(message) !== plain(error));
}

/** Sentences are compared without how they begin and end. */
const plain = (text: string): string =>
  text
    .trim()
    .replace(/[.\s]+$/, "")
    .toLowerCase();
