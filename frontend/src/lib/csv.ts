// Tables as CSV (RFC 4180), for spreadsheets and scripts.

export type CsvValue = string | number | boolean | null | undefined;

/** The lines of a table. Numbers are written in full, whatever the page rounds them to; what is missing is empty. */
export const csv = (header: readonly string[], rows: Iterable<readonly CsvValue[]>): string =>
  [header, ...rows].map((row) => `${row.map(cell).join(",")}\r\n`).join("");

function cell(value: CsvValue): string {
  if (value === null || value === undefined) return "";
  if (typeof value !== "string") return String(value);
  // A spreadsheet would take the name of an upload that begins so for a formula, and run it.
  const safe = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
