// Datasets that lie on the server: where they may lie, and what a form of one lacks.

import type { DatasetReference } from "../api/types";
import type { FieldErrors } from "./searchForm";

/** `Below /data/images or /mnt/sets.` */
export function rootsSentence(roots: readonly string[]): string {
  const last = roots.at(-1) ?? "";
  const others = roots.slice(0, -1);
  return `Below ${others.length > 0 ? `${others.join(", ")} or ${last}` : last}.`;
}

/** What is missing in a form before it can be sent. */
export function missingOf(location: string): FieldErrors {
  if (!location.trim()) return { location: "Enter where the dataset lies on the server." };
  if (!location.trim().startsWith("/")) return { location: "Enter a path from “/” on." };
  return {};
}

/** The request of a form. */
export const referenceOf = (location: string, name: string): DatasetReference => ({
  location: location.trim(),
  ...(name.trim() ? { name: name.trim() } : {}),
});
