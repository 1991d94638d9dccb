// Rows in the order of a value.

/** What rows are sorted by; null where a row has none. */
export type SortValue = number | string | boolean | null;

/**
 * The rows by their values: equal ones as they were, and those without one last either way. Of thousands of rows, each is asked once,
 * and values that several have are compared once.
 */
export function sortedBy<Row>(
  rows: readonly Row[],
  valueOf: (row: Row) => SortValue,
  direction: "ascending" | "descending",
): Row[] {
  const byValue = new Map<SortValue, Row[]>();
  for (const row of rows) {
    const value = valueOf(row);
    const alike = byValue.get(value);
    if (alike) alike.push(row);
    else byValue.set(value, [row]);
  }
  const missing = byValue.get(null) ?? [];
  byValue.delete(null);
  const values = inOrder([...byValue.keys()]);
  if (direction === "descending") values.reverse();
  return [...values.flatMap((value) => byValue.get(value) ?? []), ...missing];
}

function inOrder(values: readonly SortValue[]): SortValue[] {
  const numbers = values.filter((value) => typeof value === "number");
  // Numbers alone are sorted without asking a function for each pair.
  if (numbers.length === values.length) return [...Float64Array.from(numbers).sort()];
  return values.toSorted((a, b) => (a === b ? 0 : (a ?? "") < (b ?? "") ? -1 : 1));
}
