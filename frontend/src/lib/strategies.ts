// The ways to choose strategies, in plain words. What the server alone knows of goes by its own name and words.

import type { Strategy, StrategyName } from "../api/types";
import { count, counted } from "./format";

/** The strategy that takes keep counts, which the form has no fields for. */
export const MANUAL = "manual";

/** The strategy that proposes a whole front where one is asked for. */
export const FRONTS = "evolutionary";

const WORDS: Record<StrategyName, { title: string; sentence: string }> = {
  sensitivity: {
    title: "Where it costs least",
    sentence: "Measures what pruning each channel group alone costs, then prunes where the network notices it least.",
  },
  random: {
    title: "At random",
    sentence: "Draws at random how much of each channel group stays, and moves each draw onto the budget.",
  },
  uniform: {
    title: "The same everywhere",
    sentence: "Keeps the same fraction of every channel group: a yardstick rather than a search.",
  },
  near_uniform: {
    title: "Nearly the same everywhere",
    sentence: "Starts from the same fraction of every channel group and varies it from group to group.",
  },
  evolutionary: {
    title: "Evolution",
    sentence: "Begins at random, then crosses and mutates the better ones, generation by generation.",
  },
  global_magnitude: {
    title: "Least important first",
    sentence: "Removes the least important units of the whole network, whichever channel group they are in.",
  },
  manual: {
    title: "Written by hand",
    sentence: "Evaluates keep counts that were written down, whatever they cost.",
  },
  reference: {
    title: "As the paper’s code",
    sentence: "Draws at random and discards each draw that misses the budget by more than 1%.",
  },
};

/** What to call a strategy. */
export const strategyTitle = (name: string): string => WORDS[name as StrategyName]?.title ?? name;

/** What a strategy does, in a sentence. */
export const strategySentence = ({ name, summary }: Strategy): string =>
  WORDS[name as StrategyName]?.sentence ?? summary.split(/(?<=[.!?])\s/)[0] ?? summary;

/** The strategies that a form offers: the one with strategies written by hand only where there are some. */
export const offered = (strategies: readonly Strategy[], written: number): Strategy[] =>
  strategies.filter(({ name }) => name !== MANUAL || written > 0);

/** What of a form the cost of a strategy depends on. */
interface Asked {
  candidates: number | null;
  budgets: number;
  front: boolean;
  /** Strategies that are written by hand. */
  written: number;
}

/** Candidates that a strategy evaluates at most under each budget; undefined while their number is empty. */
export function perBudget({ name, most }: Strategy, { candidates, written }: Asked): number | undefined {
  if (name === MANUAL) return written;
  return candidates === null ? undefined : Math.min(candidates, most ?? candidates);
}

/** How often a strategy has as many: once for each budget, or once for all of them. */
export const rounds = ({ name }: Strategy, { budgets, front }: Asked): number =>
  name === MANUAL || (front && name === FRONTS) ? 1 : budgets;

/** What a strategy costs, in words: `At most 48 evaluations for each of 2 budgets`. */
export function strategyCost(strategy: Strategy, asked: Asked): string {
  const each = perBudget(strategy, asked);
  if (each === undefined) return "–";
  const evaluations = counted(each, "evaluation");
  if (strategy.name === MANUAL) return `${evaluations}, with no regard to budgets.`;
  const most = strategy.most === 1 ? evaluations : `At most ${evaluations}`;
  const where =
    rounds(strategy, asked) > 1
      ? ` for each of ${count(asked.budgets)} budgets`
      : asked.front && strategy.name === FRONTS
        ? " for the whole front"
        : "";
  const further: Partial<Record<string, string>> = {
    sensitivity: " Some of them are probes, which cannot win.",
    uniform: " It is evaluated in any case, as the reference.",
    reference: " Up to 100,000 draws for each, which takes long where the budget is small.",
  };
  return `${most}${where}.${further[strategy.name] ?? ""}`;
}
