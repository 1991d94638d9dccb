import { describe, expect, it, vi } from "vitest";

import { giveUp, interruptedUploads } from "./interruptedUploads";

const NOW = Date.parse("2026-11-28T20:00:00Z");

/** As a browser's storage is: its keys are properties. */
function storage(entries: Record<string, string>): Storage {
  const removeItem = (key: string): void => void delete made[key];
  const made: Record<string, unknown> = { ...entries };
  Object.defineProperties(made, {
    getItem: { value: (key: string) => entries[key] ?? null },
    removeItem: { value: removeItem },
  });
  return made as unknown as Storage;
}

const noted = (change: object = {}): string =>
  JSON.stringify({
    ...{ size: 5, metadata: { filename: "a.onnx" }, creationTime: "2026-11-28T19:00:00Z", uploadUrl: "/uploads/1" },
    ...change,
  });

describe("interrupted uploads", () => {
  it("are those that were written down and that the server still has", () => {
    const found = interruptedUploads(
      storage({
        "tus::a": noted(),
        "tus::old": noted({ creationTime: "2026-11-27T19:00:00Z" }),
        "tus::broken": "{",
        "tus::strange": noted({ size: "5" }),
        other: noted(),
      }),
      NOW,
    );
    expect(found.map(({ key, name, bytes }) => [key, name, bytes])).toEqual([["tus::a", "a.onnx", 5]]);
  });

  it("are given up here and on the server", async () => {
    const asked = vi.fn(() => Promise.resolve(new Response()));
    vi.stubGlobal("fetch", asked);
    const kept = storage({ "tus::a": noted() });
    await giveUp(interruptedUploads(kept, NOW)[0]!, kept);
    expect(Object.keys(kept)).toEqual([]);
    expect(asked).toHaveBeenCalledWith("/uploads/1", expect.objectContaining({ method: "DELETE" }));
    vi.unstubAllGlobals();
  });
});
