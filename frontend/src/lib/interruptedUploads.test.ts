import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { whileSending } from "../api/uploadLocks";
import { FakeLocks, fakeStorage } from "./fakeBrowser";
import { giveUp, interruptedUploads, notedUploads } from "./interruptedUploads";

const KEY = "tus::tus-br-a.onnx--5-1-http://here/uploads::12";
const FINGERPRINT = "tus-br-a.onnx--5-1-http://here/uploads";

/** As the uploads' library writes it down. */
const noted = (change: object = {}): string =>
  JSON.stringify({
    ...{ size: 5, metadata: { filename: "a.onnx" }, creationTime: "2026-11-20T19:00:00Z", uploadUrl: "/uploads/1" },
    ...change,
  });

/** The server, which knows some addresses. */
const serve = (...known: string[]) => {
  const asked = vi.fn((address: string, _request: RequestInit) =>
    Promise.resolve(new Response(null, { status: known.includes(address) ? 200 : 404 })),
  );
  vi.stubGlobal("fetch", asked);
  return asked;
};

/** Does something while another tab sends the file. */
async function besides(work: () => Promise<void>): Promise<void> {
  let end = (): void => undefined;
  const sent = whileSending(
    [FINGERPRINT],
    new AbortController().signal,
    () => new Promise<void>((resolve) => (end = resolve)),
  );
  await work();
  end();
  await sent;
}

beforeEach(() => vi.stubGlobal("navigator", { locks: new FakeLocks() }));
afterEach(() => vi.unstubAllGlobals());

describe("interrupted uploads", () => {
  it("are those that were written down and that the server still has, however long ago they began", async () => {
    serve("/uploads/1");
    const kept = fakeStorage({
      [KEY]: noted(),
      "tus::gone::1": noted({ uploadUrl: "/uploads/2" }),
      "tus::broken::1": "{",
      "tus::strange::1": noted({ size: "5" }),
      other: noted(),
    });
    expect(await interruptedUploads(kept)).toEqual([
      { key: KEY, fingerprint: FINGERPRINT, name: "a.onnx", bytes: 5, address: "/uploads/1" },
    ]);
    expect(Object.keys(kept), "what the server has no more is forgotten").not.toContain("tus::gone::1");
  });

  it("may be there when the server cannot say", async () => {
    const kept = fakeStorage({ [KEY]: noted() });
    vi.stubGlobal("fetch", () => Promise.reject(new TypeError("offline")));
    expect(await interruptedUploads(kept)).toHaveLength(1);
    vi.stubGlobal("fetch", () => Promise.resolve(new Response(null, { status: 502 })));
    expect(await interruptedUploads(kept)).toHaveLength(1);
  });

  it("are none while a tab is sending them", async () => {
    const asked = serve("/uploads/1");
    const kept = fakeStorage({ [KEY]: noted() });
    await besides(async () => expect(await interruptedUploads(kept)).toEqual([]));
    expect(asked).not.toHaveBeenCalled();
    expect(await interruptedUploads(kept)).toHaveLength(1);
  });
});

describe("giving up", () => {
  const one = (kept: Storage) => notedUploads(kept)[0]!;

  it("forgets an upload here and on the server", async () => {
    const asked = serve("/uploads/1");
    const kept = fakeStorage({ [KEY]: noted() });
    await giveUp(one(kept), kept);
    expect(Object.keys(kept)).toEqual([]);
    expect(asked).toHaveBeenCalledExactlyOnceWith("/uploads/1", expect.objectContaining({ method: "DELETE" }));
  });

  it("leaves one alone that another tab has gone on with", async () => {
    const asked = serve("/uploads/1");
    const kept = fakeStorage({ [KEY]: noted() });
    await besides(() => giveUp(one(kept), kept));
    expect(Object.keys(kept)).toEqual([KEY]);
    expect(asked).not.toHaveBeenCalled();
  });

  it("deletes nothing where another tab may be sending it", async () => {
    vi.stubGlobal("navigator", {});
    const asked = serve("/uploads/1");
    const kept = fakeStorage({ [KEY]: noted() });
    await giveUp(one(kept), kept);
    expect(Object.keys(kept)).toEqual([]);
    expect(asked).not.toHaveBeenCalled();
  });
});
