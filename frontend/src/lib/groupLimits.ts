// Channel groups to leave alone, or to keep a least part of, as one types them.

import type { GroupLimit } from "../api/types";

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
  return { group, keep: Number((Number(percentage) / 100).toPrecision(12)) };
}

/** As `parseGroupLimits` reads it. */
export const groupLimitsText = (limits: readonly GroupLimit[]): string =>
  limits
    .map(({ group, keep }) => (keep === 1 ? group : `${group}=${Number((keep * 100).toPrecision(12))}%`))
    .join(", ");
