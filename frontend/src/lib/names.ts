// Words for what the API names by a key.

import type { CheckpointFormat, Dataset, Page } from "../api/types";

/** File formats by the names that they go by. */
export const FORMAT_NAMES: Record<CheckpointFormat, string> = {
  torchscript: "TorchScript",
  onnx: "ONNX",
  safetensors: "safetensors",
};

/** `IDX`, `NPZ`, `tar.gz archive` */
export const kindName = (kind: string): string =>
  ["idx", "npz"].includes(kind) ? kind.toUpperCase() : `${kind.replace("_", ".")} archive`;

/** `28 × 28, grey` */
export function imageShape({ width, height, channels }: Dataset): string {
  const colours: Record<number, string> = { 1: "grey", 3: "colour" };
  return `${width} × ${height}, ${colours[channels] ?? `${channels} channels`}`;
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
