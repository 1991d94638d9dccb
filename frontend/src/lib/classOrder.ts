// Which output of a network each class of a dataset is, as one types it.

import type { ClassOrder } from "../api/types";

/**
 * Reads the names of all classes by output, or names with `=` and their outputs, on lines of their own or with commas
 * between them. Undefined for an empty field: the dataset's own order.
 */
export function parseClassOrder(text: string): Exclude<ClassOrder, string> | undefined {
  const items = text.split(text.trim().includes("\n") ? "\n" : ",").map((item) => item.trim());
  const names = items.filter(Boolean);
  const outputs = names.flatMap((name) => {
    const [, key = "", output] = /^(.*\S)\s*=\s*(\d+)$/.exec(name) ?? [];
    return output === undefined ? [] : [[key, Number(output)] as const];
  });
  if (names.length === 0) return undefined;
  return outputs.length === names.length ? Object.fromEntries(outputs) : names;
}

/** Names by output, or names with their outputs; the first few of many. */
export function classOrderText(order: ClassOrder, most = 12): string {
  if (typeof order === "string") return order;
  const names = Array.isArray(order) ? order : Object.entries(order).map(([name, output]) => `${name}=${output}`);
  // Names with commas stand on lines of their own, as one would have to type them.
  const between = most === Infinity && names.some((name) => name.includes(",")) ? "\n" : ", ";
  return names.slice(0, most).join(between) + (names.length > most ? ", …" : "");
}
