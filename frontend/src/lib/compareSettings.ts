// What searches were asked for, beside each other.

import { MEASURE_NAMES } from "./budgets";
import { FIELD_LABELS, labelOf } from "./fieldLabels";
import { capitalised } from "./format";

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

/** Settings that have a label of their own only where all of them are beside each other. */
const OWN: Record<string, string> = { manual: "Strategies of your own" };

const labelAt = (path: string): string | undefined => OWN[path] ?? FIELD_LABELS[path];

/** What a setting is called: as its field, with what it is a part of that. */
export function settingLabel(key: string): string {
  const end = key.split(".").at(-1) ?? key;
  // Fields of budgets are told apart by their places only.
  const measure = MEASURE_NAMES[end as keyof typeof MEASURE_NAMES];
  if (measure && (key === end || /^budgets\.\d+\.\w+$/.test(key))) return `${labelOf(key)}, ${measure}`;
  for (let path = key; path; path = path.slice(0, Math.max(0, path.lastIndexOf(".")))) {
    const label = labelAt(path);
    const parent = labelAt(path.slice(0, Math.max(0, path.lastIndexOf("."))));
    if (label && label !== parent) return `${label}${partText(key.slice(path.length + 1))}`;
  }
  return capitalised(key.replaceAll(/[._]/g, " "));
}

/** Which part of a setting is meant: places count from 1. */
function partText(part: string): string {
  const [, place, rest] = /^(?:(\d+)(?:\.|$))?(.*)$/.exec(part) ?? [];
  return `${place ? ` ${Number(place) + 1}` : ""}${rest ? `, ${rest.replaceAll("_", " ")}` : ""}`;
}
