// Several candidates that are tuned in a race: the form of one, and what its members' places mean in words.

import type { CandidateWeights, TuningRace, TuningRaceMember, TuningRaceRequest } from "../api/types";
import { count, counted } from "./format";
import type { FieldErrors } from "./searchForm";

/** The fields as they are set, by the paths that the server names. */
export interface RaceForm {
  /** Null while its field is empty. */
  candidates: number | null;
  /** Of all candidates together. */
  epochs: number | null;
  /** The budget's place among the search's. */
  budget: number;
  start: CandidateWeights;
}

/** The most candidates and epochs of a race. */
const MOST_CANDIDATES = 64;
const MOST_EPOCHS = 10_000;

/** A form for a search with so many candidates under its first budget. */
export function emptyForm(found: number): RaceForm {
  const candidates = Math.max(2, Math.min(4, found));
  return { candidates, epochs: 3 * leastEpochs(candidates), budget: 0, start: "adapted" };
}

/** The fewest epochs of a race: one for each candidate of each rung, of which half go on. */
export function leastEpochs(candidates: number): number {
  let sum = 0;
  for (let left = candidates; left > 1; left = Math.ceil(left / 2)) sum += left;
  return sum + 1;
}

/** Fields that cannot be sent as they are. */
export function missing({ candidates, epochs }: RaceForm): FieldErrors {
  return {
    ...(candidates === null ? { candidates: "Enter a number of candidates." } : {}),
    ...(epochs === null ? { epochs: "Enter a number of epochs." } : {}),
  };
}

/** What the server would refuse, said while typing, where so many candidates were found under the chosen budget. */
export function hints({ candidates, epochs }: RaceForm, found: number): FieldErrors {
  const errors: FieldErrors = {};
  const most = Math.min(MOST_CANDIDATES, found);
  if (candidates !== null && !isWithin(candidates, 2, most)) {
    errors.candidates = most < 2 ? "This budget has too few candidates." : `A whole number from 2 to ${count(most)}.`;
  }
  const least = candidates === null || errors.candidates ? 3 : leastEpochs(candidates);
  if (epochs !== null && !isWithin(epochs, least, MOST_EPOCHS)) {
    errors.epochs = `A whole number from ${count(least)} to ${count(MOST_EPOCHS)}.`;
  }
  return errors;
}

/** What a form asks for. Call it when nothing is `missing`. */
export const toRequest = ({ candidates, epochs, budget, start }: RaceForm): TuningRaceRequest => ({
  candidates: candidates ?? 0,
  epochs: epochs ?? 0,
  budget,
  options: { start },
});

/** How a race goes: `4 candidates for 2 epochs, 2 until epoch 6, 1 until epoch 14`. */
export function rungsText({ rungs }: Pick<TuningRace, "rungs">): string {
  const [first, ...later] = rungs;
  if (!first) return "";
  const begin = `${counted(first.candidates, "candidate")} for ${counted(first.until_epoch, "epoch")}`;
  const rest = later.map(({ candidates, until_epoch }) => `${count(candidates)} until epoch ${count(until_epoch)}`);
  return [begin, ...rest].join(", ");
}

/** How a member stands: `Has won`, `Out after 2 epochs`, `Rung 2 of 3`. */
export function standingText(race: Pick<TuningRace, "rungs" | "winner_id">, member: TuningRaceMember): string {
  if (member.tuning_id === race.winner_id) return "Has won";
  if (member.is_out) return `Out after ${counted(member.epochs, "epoch")}`;
  return `Rung ${count(member.rung + 1)} of ${count(race.rungs.length)}`;
}

function isWithin(value: number, least: number, most: number): boolean {
  return Number.isInteger(value) && value >= least && value <= most;
}
