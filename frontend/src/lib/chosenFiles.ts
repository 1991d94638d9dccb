// Files that were dropped or chosen, as the upload that they make.

import { counted } from "./format";
import type { FileKind } from "./fileKinds";
import type { Collection } from "./uploads.svelte";

/** A file with what it is. */
export interface Known {
  file: File;
  kind: FileKind;
}

/** Files by the parts of an upload. */
export type Chosen =
  | { collection: "models"; file?: File; data?: File }
  | { collection: "datasets"; file?: File; images?: File; labels?: File };

/** The part of a file; one that may be either goes where the page is about. */
function partOf(kind: FileKind, page: Collection): { collection: Collection; part: string } {
  switch (kind) {
    case "network":
      return { collection: "models", part: "file" };
    case "weights":
      return { collection: "models", part: "data" };
    case "images":
    case "labels":
      return { collection: "datasets", part: kind };
    case "npz":
    case "parquet":
    case "archive":
      return { collection: "datasets", part: "file" };
    case "zip":
    case "unknown":
      return { collection: page, part: "file" };
  }
}

/**
 * What files may become: on the page of a collection one thing, and elsewhere whatever either page would make of them. Or a sentence
 * that says why they make nothing.
 */
export function offersOf(files: readonly Known[], page: Collection | undefined): Chosen[] | string {
  const made = (page ? [page] : COLLECTIONS).map((one) => together(files, one));
  const chosen = made.filter((one) => typeof one !== "string");
  if (chosen.length === 0) return made.find((one) => typeof one === "string") ?? "";
  return [...new Map(chosen.map((one) => [one.collection, one])).values()];
}

/** What files make together, or a sentence that says why they make nothing. */
export function together(files: readonly Known[], page: Collection): Chosen | string {
  if (files.length === 0) return "A folder cannot be uploaded as it is: put it into a zip or tar archive first.";
  const parts = files.map(({ file, kind }) => ({ file, ...partOf(kind, page) }));
  const collections = new Set(parts.map(({ collection }) => collection));
  if (collections.size > 1) return "These are a model and a dataset: drop one of them at a time.";
  const byPart = new Map(parts.map(({ part, file }) => [part, file]));
  const [collection = page] = collections;
  if (byPart.size < parts.length || (byPart.has("images") && byPart.has("file"))) {
    return `These are ${counted(files.length, "file")}, and an upload is one ${NOUNS[collection]}: drop one at a time.`;
  }
  return { collection, ...Object.fromEntries(byPart) } as Chosen;
}

/** What an upload to a collection becomes. */
export const NOUNS: Record<Collection, string> = { models: "model", datasets: "dataset" };
const COLLECTIONS = ["models", "datasets"] as const;

/** Their names, for a sentence. */
export const namesOfFiles = ({ collection: _, ...parts }: Chosen): string =>
  Object.values(parts as Record<string, File | undefined>)
    .flatMap((file) => file?.name ?? [])
    .join(" and ");

/** A file as the list that a file field has. */
export function fileList(file: File): FileList {
  const transfer = new DataTransfer();
  transfer.items.add(file);
  return transfer.files;
}
