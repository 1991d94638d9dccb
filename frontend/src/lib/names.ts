// Words for what the API names by a key.

import type { CheckpointFormat, Dataset, Latency, LatencyOf, Page } from "../api/types";
import { dateTime } from "./format";

/** File formats by the names that they go by. */
export const FORMAT_NAMES: Record<CheckpointFormat, string> = {
  torchscript: "TorchScript",
  onnx: "ONNX",
  safetensors: "safetensors",
  state_dict: "state_dict",
};

/** What computes a network, by the names that they go by. */
export const RUNTIME_NAMES: Record<Latency["runtime"], string> = { onnxruntime: "ONNX Runtime", libtorch: "libtorch" };

/** Where the latency of a budget is measured. */
export const LATENCY_NAMES: Record<LatencyOf, string> = {
  onnxruntime_one_thread: "ONNX Runtime, one thread",
  onnxruntime_all_threads: "ONNX Runtime, all threads",
  libtorch: "libtorch on the worker",
};

/** Kinds of dataset that are no plain archives, by the names that they go by. */
const KIND_NAMES: Partial<Record<string, string>> = {
  idx: "IDX",
  npz: "NPZ",
  parquet: "Parquet",
  webdataset: "WebDataset",
  folder: "folder",
};

/** `IDX`, `NPZ`, `tar.gz archive` */
export const kindName = (kind: string): string => KIND_NAMES[kind] ?? `${kind.replace("_", ".")} archive`;

/** `28 × 28, grey` */
export function imageShape({ width, height, channels }: Dataset): string {
  const colours: Record<number, string> = { 1: "grey", 3: "colour" };
  return `${width} × ${height}, ${colours[channels] ?? `${channels} channels`}`;
}

/** The end of an id, which tells things of one name apart. */
export const shortId = (id: string): string => id.slice(-8);

interface Named {
  id: string;
  name: string;
  created_at: string;
}

/** Ids of the things whose name another one has, too. */
export function sharedNames(things: readonly Named[]): Set<string> {
  const known = new Map<string, string[]>();
  for (const { id, name } of things) known.set(name, [...(known.get(name) ?? []), id]);
  return new Set([...known.values()].filter((ids) => ids.length > 1).flat());
}

/**
 * What tells things of one name apart, by id: kind and time, and the short id where that does not suffice. A thing whose name no other
 * has is not in it.
 */
export function distinctions<T extends Named>(things: readonly T[], kind: (thing: T) => string): Map<string, string> {
  const shared = sharedNames(things);
  const alike = things.filter(({ id }) => shared.has(id));
  const words = (thing: T): string => `${kind(thing)}, ${dateTime(thing.created_at)}`;
  const same = sharedNames(alike.map((thing) => ({ ...thing, name: `${thing.name} (${words(thing)})` })));
  return new Map(
    alike.map((thing) => [thing.id, same.has(thing.id) ? `${words(thing)}, ${shortId(thing.id)}` : words(thing)]),
  );
}

/** What to call each thing in a list to choose from, by id: its name, with what tells it apart from others of that name. */
export function distinctNames<T extends Named>(things: readonly T[], kind: (thing: T) => string): Map<string, string> {
  const beside = distinctions(things, kind);
  return new Map(
    things.map(({ id, name }) => {
      const words = beside.get(id);
      return [id, words ? `${name} (${words})` : name];
    }),
  );
}

/** Names of things by id, from a paged list that is read only until all of them are known. */
export async function namesOf(
  ids: Iterable<string>,
  list: (cursor?: string, limit?: number) => Promise<Page<{ id: string; name: string }>>,
): Promise<Map<string, string>> {
  const unknown = new Set(ids);
  const names = new Map<string, string>();
  let cursor: string | undefined;
  while (unknown.size > 0) {
    const page = await list(cursor, 100);
    for (const { id, name } of page.items) {
      if (unknown.delete(id)) names.set(id, name);
    }
    if (page.next_cursor === null) break;
    cursor = page.next_cursor;
  }
  return names;
}
