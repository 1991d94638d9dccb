import { describe, expect, it } from "vitest";

import { mergeFirstPage } from "./merge";

const page = (ids: string, next: string | null, state = "") => ({
  items: [...ids].map((id) => ({ id, state })),
  next_cursor: next,
});
const ids = (list: { items: { id: string }[] }) => list.items.map((item) => item.id).join("");

describe("mergeFirstPage", () => {
  it("takes new items and states, and keeps the pages behind", () => {
    const merged = mergeFirstPage(page("dcba", null), page("edc", "after c", "new"));
    expect(ids(merged)).toBe("edcba");
    expect(merged.items.map((item) => item.state)).toEqual(["new", "new", "new", "", ""]);
    expect(merged.next_cursor).toBeNull();
  });

  it("drops what was deleted within the first page", () => {
    expect(ids(mergeFirstPage(page("fedcba", "after a"), page("fdc", "after c")))).toBe("fdcba");
  });

  it("starts again when nothing of the first page is known", () => {
    const merged = mergeFirstPage(page("cba", null), page("zyx", "after x"));
    expect([ids(merged), merged.next_cursor]).toEqual(["zyx", "after x"]);
  });

  it("trusts a first page that is the whole list", () => {
    expect(ids(mergeFirstPage(page("cba", null), page("ca", null)))).toBe("ca");
    expect(ids(mergeFirstPage(page("cba", null), page("", null)))).toBe("");
  });

  it("keeps the fresh cursor when there was only one page", () => {
    expect(mergeFirstPage(page("ba", "old"), page("ba", "new")).next_cursor).toBe("new");
  });
});
