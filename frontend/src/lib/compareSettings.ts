// What searches were asked for, beside each other.

export interface Setting {
  /** `adaptation.mode`, `budgets.0.macs` */
  key: string;
  /** Of each search, in their order; undefined where it was not set. */
  values: (string | undefined)[];
  differs: boolean;
}

/** Names are what the columns are called by. */
const LEFT_OUT = new Set(["name"]);

/** Every setting of the requests, in the order in which they come; the later ones add theirs. */
export function settings(requests: readonly object[]): Setting[] {
  const flat = requests.map((request) => new Map(flattened(request)));
  const keys = [...new Set(flat.flatMap((values) => [...values.keys()]))].filter((key) => !LEFT_OUT.has(key));
  return keys.map((key) => {
    const values = flat.map((settings) => settings.get(key));
    return { key, values, differs: values.some((value) => value !== values[0]) };
  });
}

/** Each value with its path; lists of plain values are one value. */
function flattened(value: unknown, path = ""): [string, string][] {
  if (Array.isArray(value) && value.every((item) => typeof item !== "object" || item === null)) {
    return [[path, value.map(String).join(", ") || "none"]];
  }
  if (typeof value !== "object" || value === null) return value === null ? [] : [[path, String(value)]];
  return Object.entries(value).flatMap(([key, inner]) => flattened(inner, path ? `${path}.${key}` : key));
}
