// Channel groups to leave alone, or to keep a least part of: chosen in a table, or typed as names and patterns.

import type { ChannelGroup, GroupLimit } from "../api/types";
import { csv } from "./csv";
import { counted, fraction } from "./format";

/** The least percent of their units that groups keep, by name; null while its field is empty. */
export type GroupKeeps = Record<string, number | null>;

/** What leaves a group alone. */
export const WHOLE = 100;

/**
 * Reads names or patterns with commas between them; `=` and a percentage behind one says the least part that stays, and
 * without it all of it does. Undefined where a part is not a percentage from 0 to 100, or a name is missing.
 */
export function parseGroupLimits(text: string): GroupLimit[] | undefined {
  const items = text.split(",").map((item) => item.trim());
  const limits = items.filter(Boolean).map(parseOne);
  return limits.every((limit) => limit !== undefined) ? limits : undefined;
}

function parseOne(item: string): GroupLimit | undefined {
  const [, name = "", part] = /^([^=]*)(?:=(.*))?$/.exec(item) ?? [];
  const group = name.trim();
  if (group === "") return undefined;
  if (part === undefined) return { group, keep: 1 };
  const percentage = /^\s*(\d+(?:\.\d+)?)\s*%?\s*$/.exec(part)?.[1];
  if (percentage === undefined || Number(percentage) > 100) return undefined;
  return { group, keep: fraction(Number(percentage)) };
}

/** As `parseGroupLimits` reads it. */
export const groupLimitsText = (limits: readonly GroupLimit[]): string =>
  limits
    .map(({ group, keep }) => (keep === 1 ? group : `${group}=${Number((keep * 100).toPrecision(12))}%`))
    .join(", ");

/** What was chosen in the table, in its order. A least part of nothing is no limit. */
export const chosenLimits = (keeps: GroupKeeps): GroupLimit[] =>
  Object.entries(keeps).flatMap(([group, percentage]) => (percentage ? [{ group, keep: fraction(percentage) }] : []));

/** Whether each percentage is one. */
export const arePercentages = (keeps: GroupKeeps): boolean =>
  Object.values(keeps).every((percentage) => percentage === null || (percentage >= 0 && percentage <= WHOLE));

/** `2 groups left alone, 1 kept in part`; empty where none is. */
export function limitsSummary(limits: readonly GroupLimit[]): string {
  const whole = limits.filter(({ keep }) => keep === 1).length;
  const partly = limits.length - whole;
  return [
    ...(whole > 0 ? [`${counted(whole, "group")} left alone`] : []),
    ...(partly > 0 ? [`${whole > 0 ? partly : counted(partly, "group")} kept in part`] : []),
  ].join(", ");
}

/** The groups that a search may prune, with the text in their name or in that of a parameter of theirs. */
export function searched(groups: readonly ChannelGroup[], text: string): ChannelGroup[] {
  const wanted = text.trim().toLowerCase();
  const has = (name: string): boolean => name.toLowerCase().includes(wanted);
  return groups.filter(
    ({ prunable, name, members }) => prunable && (has(name) || members.some(({ parameter }) => has(parameter))),
  );
}

/** The fewest units that a group keeps. */
export const unitsKept = (size: number, percentage: number): number => Math.ceil(fraction(percentage) * size);

/** Groups with what was chosen for each; empty where nothing was. */
export const limitsCsv = (groups: readonly ChannelGroup[], keeps: GroupKeeps): string =>
  csv(
    ["group", "units", "keep_at_least_percent", "keep_at_least_units"],
    groups.map(({ name, size }) => {
      const percentage = keeps[name] ?? null;
      return [name, size, percentage, percentage === null ? null : unitsKept(size, percentage)];
    }),
  );
